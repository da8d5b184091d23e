"""What a data folder keeps from one run to the next."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from local import datadir
from local.datadir import AlreadyRunning, DataDir
from local.place import UnusableFolder


@contextmanager
def opened(path: Path) -> Iterator[DataDir]:
    data = DataDir(path)
    yield data
    data.close()


def test_secrets_keys_and_ports_are_made_once(tmp_path: Path) -> None:
    seen = []
    for _ in range(2):
        with opened(tmp_path / "data") as data:
            seen.append((data.secrets, data.signing_key().read_text(), data.port("postgres")))
    assert seen[0] == seen[1]
    assert len(set(data.secrets.values())) == len(data.secrets)


def test_a_port_that_was_taken_meanwhile_is_replaced(tmp_path: Path) -> None:
    with opened(tmp_path / "data") as data:
        port = data.port("postgres")
        with socket.create_server(("127.0.0.1", port)):
            assert data.port("postgres") != port


def test_one_supervisor_at_a_time(tmp_path: Path) -> None:
    with opened(tmp_path / "data"), pytest.raises(AlreadyRunning, match=f"process {os.getpid()}"):
        DataDir(tmp_path / "data")
    with opened(tmp_path / "data"):
        pass


def test_damaged_secrets_are_not_replaced_in_silence(tmp_path: Path) -> None:
    (tmp_path / "secrets.json").write_text("{")
    with pytest.raises(UnusableFolder):
        DataDir(tmp_path)


def test_logs_are_turned_per_run_and_cut_when_long(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with opened(tmp_path) as data:
        data.log("api").write_text("first run")
        data.turn_logs()
        assert (tmp_path / "logs/api.log.1").read_text() == "first run"
        monkeypatch.setattr(datadir, "LOG_LIMIT", 3)
        with data.log("api").open("a") as writer:
            writer.write("long")
            writer.flush()
            data.trim_logs()
            writer.write("new")
        assert data.log("api").read_text() == "new"
        assert (tmp_path / "logs/api.log.1").read_text() == "long"
