"""Makes `.venv` with pip alone: `install.py run|dev|bench`; needs the standard library only."""

from __future__ import annotations

import hashlib
import json
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
VENV = ROOT / ".venv"
PYTHON = VENV / "bin" / "python"
STAMP = VENV / "installed.json"
# Each lock holds the packages of those before it in the same versions.
COVERS = {"run": ["run"], "dev": ["run", "dev"], "bench": ["run", "dev", "bench"]}


class CannotInstall(RuntimeError):
    """The machine lacks something that only its owner can add."""


def main(wanted: str) -> None:
    if not _works():
        _make()
    hashes = {name: _hash(ROOT / "requirements" / f"{name}.txt") for name in COVERS}
    known = json.loads(STAMP.read_text()) if STAMP.exists() else {}
    if known.get(wanted) == hashes[wanted]:
        return
    print(f"Installing the packages of requirements/{wanted}.txt (once) …", flush=True)
    _install(ROOT / "requirements" / f"{wanted}.txt")
    STAMP.write_text(json.dumps({**known, **{name: hashes[name] for name in COVERS[wanted]}}))


def _works() -> bool:
    """A venv breaks when the Python it was made from is removed or replaced."""
    if not PYTHON.exists():
        return False
    version = "import sys; print(*sys.version_info[:2])"
    probe = subprocess.run([str(PYTHON), "-c", version], capture_output=True, text=True)
    supported = {f"3 {minor}" for minor in (11, 12, 13)}
    return probe.returncode == 0 and probe.stdout.strip() in supported


def _make() -> None:
    try:
        import ensurepip  # noqa: F401
    except ImportError as error:
        name = f"python{sys.version_info[0]}.{sys.version_info[1]}-venv"
        raise CannotInstall(
            f"this Python has no ensurepip; install it first, e.g. apt install {name}"
        ) from error
    print(f"Making .venv with Python {sys.version.split()[0]} …", flush=True)
    made = subprocess.run([sys.executable, "-m", "venv", "--clear", str(VENV)])
    if made.returncode != 0:
        raise CannotInstall(f"python -m venv {VENV} failed")


def _install(lock: Path) -> None:
    command = [str(PYTHON), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    # wheels only: a compiler must not be needed, and no package's build code is run
    command += ["--no-input", "--only-binary", ":all:", "--require-hashes", "-r", str(lock)]
    if subprocess.run(command).returncode != 0:
        raise CannotInstall(f"pip could not install {lock.relative_to(ROOT)}")


def _hash(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


if __name__ == "__main__":
    try:
        main(sys.argv[1])
    except CannotInstall as error:
        sys.exit(f"wheels: {error}")
