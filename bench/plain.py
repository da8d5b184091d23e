"""The peer: FastAPI and Celery as most projects write them. It inserts a row and calls `delay`."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from typing import Annotated, Any
from uuid import UUID, uuid4

import redis
from celery import Celery
from fastapi import Depends, FastAPI
from pydantic import BaseModel
from sqlalchemy import JSON, Column
from sqlmodel import Field, Session, SQLModel, create_engine

celery_app = Celery("plain", broker=os.environ["PLAIN_BROKER"])
celery_app.conf.update(task_ignore_result=True, task_default_queue="plain")
engine = create_engine(os.environ["PLAIN_DATABASE"], pool_size=16)


class PlainJob(SQLModel, table=True):
    id: UUID = Field(default_factory=uuid4, primary_key=True)
    status: str = "queued"
    payload: dict[str, Any] = Field(sa_column=Column(JSON))


class Body(BaseModel):
    payload: dict[str, Any]


def session() -> Iterator[Session]:
    with Session(engine) as db:
        yield db


@celery_app.task(name="plain.work")
def work(job_id: str) -> None:
    """Does nothing, well."""


@celery_app.task(name="plain.started")
def started(sent_at: float) -> None:
    """Tell how long it took from `delay` to here."""
    client = redis.Redis.from_url(os.environ["PLAIN_BROKER"])
    client.rpush("plain:starts", time.time() - sent_at)


@celery_app.task(name="plain.told")
def told(sent_at: float) -> None:
    """The same, where the other queues tell it."""
    waited = time.time() - sent_at
    redis.Redis.from_url(os.environ["PLAIN_STARTS"]).rpush("bench:starts", waited)


@celery_app.task(name="plain.nap")
def nap(seconds: float, sent_at: float | None = None) -> None:
    """Take a while, and tell when it began."""
    if sent_at is not None:
        started(sent_at)
    time.sleep(seconds)


app = FastAPI()


@app.post("/jobs", status_code=202)
def submit(body: Body, db: Annotated[Session, Depends(session)]) -> dict[str, Any]:
    job = PlainJob(payload=body.payload)
    db.add(job)
    db.commit()
    work.delay(str(job.id))
    return {"data": {"id": str(job.id), "status": job.status, "payload": body.payload}}


def make_tables() -> None:
    SQLModel.metadata.create_all(engine, tables=[SQLModel.metadata.tables["plainjob"]])
