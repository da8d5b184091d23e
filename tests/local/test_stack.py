"""What is started here is what is started elsewhere, and command lines hold no secret."""

from __future__ import annotations

import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml  # type: ignore[import-untyped]

from local.datadir import DataDir
from local.stack import ROOT, BadKnob, Knobs, Stack, assemble

# Flags on which an embedded stack and a fleet rightly differ.
OWN = {"--host", "--port", "--concurrency", "--no-proxy-headers", "--address", "--reload"}
NAMES = {"release": "migrate", "web": "api"}


@pytest.fixture
def stack(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Stack]:
    monkeypatch.setenv("DATABASE_URL", "postgresql://elsewhere/db")
    monkeypatch.setenv("REDIS_URL", "redis://elsewhere")
    monkeypatch.setenv("DATA_DIR", str(tmp_path / "data"))
    knobs = Knobs.read()
    data = DataDir(knobs.data_dir)
    yield assemble(knobs, data)
    data.close()


def essence(command: str | tuple[str, ...]) -> list[str]:
    """A command without its interpreter, its priority and the flags that may differ."""
    words = shlex.split(command) if isinstance(command, str) else list(command)
    words = [part for word in words[words.index("-m") :] for part in word.split("=", 1)]
    kept: list[str] = []
    for word in words:
        if kept and kept[-1] in OWN and not word.startswith("-"):
            kept.pop()
        elif kept and kept[-1] in OWN:
            kept[-1] = word
        else:
            kept.append(word)
    return [word for word in kept if word not in OWN]


@pytest.fixture
def started(stack: Stack) -> dict[str, list[str]]:
    plan = stack.plan()
    return {program.name: essence(program.command) for program in (*plan.steps, *plan.apps)}


def _compose() -> dict[str, Any]:
    loaded: dict[str, Any] = yaml.safe_load((ROOT / "docker-compose.yml").read_text())
    return loaded


def test_the_procfile_starts_the_same(started: dict[str, list[str]]) -> None:
    lines = (line.split(": ", 1) for line in (ROOT / "Procfile").read_text().splitlines())
    assert {NAMES.get(name, name): essence(command) for name, command in lines} == started


def test_compose_starts_the_same(started: dict[str, list[str]]) -> None:
    services = _compose()["services"]
    ours = {name: service for name, service in services.items() if "build" in service}
    assert {name: essence(service["command"]) for name, service in ours.items()} == started
    assert services.keys() - ours.keys() == {"postgres", "valkey"}


def test_render_starts_the_same_but_flower(started: dict[str, list[str]]) -> None:
    blueprint = yaml.safe_load((ROOT / "render.yaml").read_text())
    commands = {
        service["name"].removeprefix("wheels-"): service["dockerCommand"]
        for service in blueprint["services"]
        if "dockerCommand" in service
    }
    commands["migrate"] = blueprint["services"][1]["preDeployCommand"]
    del started["flower"]
    assert {name: essence(command) for name, command in commands.items()} == started


def test_containers_have_no_rights_and_databases_no_ports() -> None:
    services = _compose()["services"]
    for name in ("api", "compute", "io", "housekeeping", "flower", "migrate"):
        assert services[name]["cap_drop"] == ["ALL"]
        assert services[name]["read_only"] is True
    for name in ("postgres", "valkey"):
        assert "ports" not in services[name]
        assert services[name]["networks"] == ["inside"]
    published = [port for service in services.values() for port in service.get("ports", [])]
    assert all(port.startswith("127.0.0.1:") for port in published)
    assert services["flower"]["profiles"] == ["ops"]


def test_no_secret_is_on_a_command_line(stack: Stack) -> None:
    plan = stack.plan(reload=True)
    lines = " ".join(word for program in plan.apps for word in program.command)
    password = stack.env["FLOWER_BASIC_AUTH"].partition(":")[2]
    assert password
    assert password not in lines
    assert "--read_only" in lines


def test_an_example_of_the_environment_sets_nothing() -> None:
    lines = (ROOT / ".env.example").read_text().splitlines()
    assert [line for line in lines if line and not line.startswith("#")] == []


def test_a_port_that_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("API_PORT", "65536")
    with pytest.raises(BadKnob, match="API_PORT"):
        Knobs.read()
