"""The fixtures of pytest-celery over processes of ours: kill, restart, ready, logs."""

from __future__ import annotations

from functools import partial

import pytest
from pytest_celery import CeleryBrokerCluster, CeleryTestSetup, CeleryWorkerCluster

from tests import stack
from tests.faults.conftest import Floor
from tests.faults.nodes import BrokerNode, BrokerProcess, WorkerNode, WorkerProcess
from tests.stack import until


@pytest.fixture
def celery_broker_cluster(floor: Floor) -> CeleryBrokerCluster:
    return CeleryBrokerCluster(BrokerNode(BrokerProcess(floor.stores.valkey)))


@pytest.fixture
def celery_backend_cluster() -> None:
    """There is no result backend."""


@pytest.fixture
def celery_backend_cluster_config() -> None:
    """Likewise."""


@pytest.fixture
def celery_worker_cluster(floor: Floor) -> CeleryWorkerCluster:
    url = floor.stores.valkey.url()

    def node(name: str) -> WorkerNode:
        child = floor.worker(slots=1, name=name)
        return WorkerNode(
            WorkerProcess(child, url, partial(stack.entered, floor.stores, child)), None
        )

    return CeleryWorkerCluster(node("first"), node("second"))


def test_a_cluster_survives_its_workers_and_its_broker(
    floor: Floor, celery_setup: CeleryTestSetup
) -> None:
    floor.housekeeping()
    first, second = celery_setup.worker_cluster
    assert celery_setup.ready(docker=True)
    assert len(celery_setup) == 3
    # a parent and a child each
    assert len(first.get_running_processes_info(["pid"])) >= 2
    jobs = floor.submit(2, seconds=3)
    until(lambda: floor.running(jobs))
    first.kill()
    assert first.container.status == "exited"
    celery_setup.broker.restart()
    # Celery may end a worker that loses its broker; a supervisor starts it again
    for worker in (first, second):
        if worker.container.status == "exited":
            worker.restart()
    assert celery_setup.ready(docker=True)
    first.assert_log_exists("worker_entered", timeout=20)
    floor.ended()
    floor.check()
    crashes = "SELECT sum(crashes) FROM jobs WHERE id = ANY(%s)"
    assert floor.stores.one(crashes, jobs) >= 1
    assert "attempt_ended" in first.logs() + second.logs()
    first.kill(signal="SIGTERM")
    assert first.container.child.process.returncode == 0
