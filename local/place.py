"""Finds folders and binaries an unprivileged server can reach, never touching a foreign folder."""

from __future__ import annotations

import importlib.util
import os
import shutil
import tempfile
from pathlib import Path

from local.account import Account

MARKER = "wheels-server"
# Data that moves must survive: /var/tmp is swept by systemd-tmpfiles, so it comes last.
LASTING = ("/var/lib", "/usr/local/var", "/var/tmp")  # noqa: S108  (names below are random)


class UnusableFolder(OSError):
    """The folder cannot hold a server's data."""


def settle(folder: Path, account: Account | None, *, lasting: bool) -> Path:
    """Returns the folder that really holds the server's files.

    It is `folder` itself, unless `account` cannot get there (a 0700 parent). Opening that parent
    is not ours to do, so the files then live in a place of their own and `folder` says where.
    """
    folder.mkdir(parents=True, exist_ok=True)
    marker = folder / MARKER
    if marker.exists():
        home = Path(marker.read_text().strip())
        if home.is_dir() and (account is None or account.can_enter(home)):
            return home
    elif any(folder.iterdir()):
        raise UnusableFolder(f"{folder} holds files that are not ours")
    home = folder
    if account is None:
        folder.chmod(0o700)
    else:
        folder.chmod(0o711)
        if not account.can_enter(folder):
            home = _elsewhere(lasting)
    marker.write_text(f"{home}\n")
    return home


def _elsewhere(lasting: bool) -> Path:
    if not lasting:
        base = Path(tempfile.gettempdir())
    else:
        root = next(Path(path) for path in LASTING if os.access(path, os.W_OK | os.X_OK))
        base = root / "wheels-and-wins"
        base.mkdir(mode=0o711, exist_ok=True)
        if base.is_symlink() or base.stat().st_uid != os.geteuid():
            raise UnusableFolder(f"{base} belongs to somebody else")
    home = Path(tempfile.mkdtemp(prefix="wheels-", dir=base))
    home.chmod(0o711)
    return home


def wheel_folder(package: str) -> Path:
    """Found, not imported: at import the wheels warn, make folders and install exit handlers."""
    spec = importlib.util.find_spec(package)
    if spec is None or spec.origin is None:
        raise UnusableFolder(f"the package {package} is not installed for this machine")
    return Path(spec.origin).parent


def own_folder(path: Path, account: Account | None) -> Path:
    """A 0700 folder for the server; everything above it stays ours, so root writes nothing here."""
    path.mkdir(mode=0o700, exist_ok=True)
    if account is not None:
        os.chown(path, account.uid, account.gid)
    return path


def write_for(path: Path, text: str, account: Account | None) -> None:
    """A file that we write and the server can only read."""
    part = path.with_name(path.name + ".part")
    part.unlink(missing_ok=True)
    descriptor = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w") as out:
        if account is not None:
            os.fchown(out.fileno(), os.geteuid(), account.gid)
            os.fchmod(out.fileno(), 0o640)
        out.write(text)
    part.replace(path)


def reachable_package(package: str, program: str, copy: Path, account: Account | None) -> Path:
    """Returns the package's folder, or a copy of it where the account cannot run `program`."""
    source = wheel_folder(package)
    if account is None or account.can_run(source / program):
        return source
    if not account.can_run(copy / package / program):
        part = copy.with_name(copy.name + ".part")
        shutil.rmtree(part, ignore_errors=True)
        shutil.rmtree(copy, ignore_errors=True)
        # headers and static libraries are half of the wheel and serve compilers only
        ignore = shutil.ignore_patterns("include", "*.a", "*.py", "__pycache__")
        # repaired wheels keep shared libraries in a folder beside the package
        for tree in (source, source.with_name(f"{package}.libs")):
            if tree.is_dir():
                shutil.copytree(tree, part / tree.name, symlinks=True, ignore=ignore)
        _readable(part)
        part.rename(copy)
    return copy / package


def _readable(tree: Path) -> None:
    """A wheel unpacked under umask 077 is readable by its owner only; our copy need not be."""
    for parent, _, names in os.walk(tree):
        Path(parent).chmod(0o755)
        for name in names:
            path = Path(parent, name)
            if not path.is_symlink():
                path.chmod(0o755 if path.stat().st_mode & 0o100 else 0o644)
