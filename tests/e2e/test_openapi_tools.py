"""The published description as others' tools read it: two linters, and a generated client."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from api.app import create_app
from core.settings import Settings

TOOLS = Path(__file__).parent / "openapi"
NPM_SAYS_AWAY = ("ENOTFOUND", "EAI_AGAIN", "ECONNREFUSED", "ETIMEDOUT", "ENETUNREACH")
Tool = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture(scope="module")
def tool(tmp_path_factory: pytest.TempPathFactory) -> Tool:
    """Run one of the tools in a folder that holds the description."""
    if not shutil.which("node") or not shutil.which("npm"):
        pytest.skip("node and npm are not installed")
    folder = tmp_path_factory.mktemp("openapi")
    shutil.copytree(TOOLS, folder, dirs_exist_ok=True)
    install = ["npm", "install", "--no-package-lock", "--no-audit", "--no-fund"]
    done = subprocess.run(install, cwd=folder, capture_output=True, text=True, check=False)
    if done.returncode and any(word in done.stderr for word in NPM_SAYS_AWAY):
        pytest.skip("the npm registry is not reachable")
    assert done.returncode == 0, done.stderr
    # the description needs no store: the addresses are never used
    app = create_app(Settings(database_url="postgresql://nobody@127.0.0.1/nothing"))
    (folder / "openapi.json").write_text(json.dumps(app.openapi()))

    def run(name: str, *arguments: str) -> subprocess.CompletedProcess[str]:
        command = [str(folder / "node_modules" / ".bin" / name), *arguments]
        return subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)

    return run


# installing takes most of the time, and longest where the cache is cold
@pytest.mark.timeout(300)
def test_redocly_finds_no_error(tool: Tool) -> None:
    done = tool("redocly", "lint", "openapi.json", "--extends=recommended", "--format=json")
    assert done.returncode == 0, done.stdout[-4000:] + done.stderr[-1000:]
    assert json.loads(done.stdout)["totals"]["errors"] == 0


@pytest.mark.timeout(300)
def test_spectral_finds_no_error(tool: Tool) -> None:
    arguments = ["lint", "openapi.json", "--ruleset", ".spectral.yaml", "--fail-severity", "error"]
    done = tool("spectral", *arguments)
    assert done.returncode == 0, done.stdout[-4000:] + done.stderr[-1000:]


@pytest.mark.timeout(300)
def test_a_generated_client_knows_the_types_of_events(tool: Tool) -> None:
    done = tool("openapi-typescript", "openapi.json", "--output", "api.d.ts")
    assert done.returncode == 0, done.stderr[-2000:]
    options = ["--noEmit", "--strict", "--skipLibCheck", "--module", "esnext"]
    done = tool("tsc", *options, "--moduleResolution", "bundler", "--target", "es2022", "client.ts")
    assert done.returncode == 0, done.stdout[-4000:]
