"""The embedded Valkey: a password, loopback only, and what a kill leaves."""

from __future__ import annotations

from collections.abc import Iterator

import psutil
import pytest
import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from local.server import ServerDidNotStart
from local.valkey import Valkey
from tests.local.running import wait_until


@pytest.fixture(scope="module")
def valkey(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Valkey]:
    server = Valkey(tmp_path_factory.mktemp("with space") / "valkey", durable=False)
    server.init()
    server.start()
    yield server
    server.destroy()
    assert not server.folder.exists()


@pytest.fixture
def client(valkey: Valkey) -> Iterator[redis.Redis]:
    with redis.Redis.from_url(valkey.url()) as connected:
        yield connected


def test_it_refuses_strangers(valkey: Valkey) -> None:
    stranger = redis.Redis(host="127.0.0.1", port=valkey.port, retry=Retry(NoBackoff(), 0))
    with stranger, pytest.raises(redis.AuthenticationError):
        stranger.ping()
    assert valkey.password not in " ".join(psutil.Process(valkey.pid).cmdline())


def test_it_listens_on_loopback_only_and_never_as_root(valkey: Valkey) -> None:
    process = psutil.Process(valkey.pid)
    listening = [c.laddr for c in process.net_connections() if c.status == psutil.CONN_LISTEN]
    assert listening == [("127.0.0.1", valkey.port)]
    assert process.uids().effective != 0


def test_it_never_evicts_and_keeps_a_log(client: redis.Redis) -> None:
    assert client.config_get("maxmemory-policy") == {"maxmemory-policy": "noeviction"}
    assert client.config_get("appendonly") == {"appendonly": "yes"}


def test_keys_survive_kill_9(valkey: Valkey, client: redis.Redis) -> None:
    client.set("kept", "7")
    valkey.kill()
    assert not valkey.ready()
    valkey.start()
    with redis.Redis.from_url(valkey.url()) as again:
        assert again.get("kept") == b"7"


def test_a_paused_broker_is_not_ready(valkey: Valkey) -> None:
    valkey.pause()
    assert not valkey.ready()
    valkey.resume()
    wait_until(valkey.ready)


def test_a_taken_port_is_told_with_the_servers_own_words(
    valkey: Valkey, tmp_path_factory: pytest.TempPathFactory
) -> None:
    other = Valkey(tmp_path_factory.mktemp("other") / "valkey", valkey.port, durable=False)
    other.init()
    try:
        with pytest.raises(ServerDidNotStart, match="in use"):
            other.start()
    finally:
        other.destroy()
