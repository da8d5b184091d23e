"""What a kind of job is: a typed pair of request and result, and the rules of its run."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Any, Generic, Protocol, TypeVar
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field

if TYPE_CHECKING:
    from core.children import Child, ChildOutcome

RequestT = TypeVar("RequestT", bound=BaseModel)
ResultT = TypeVar("ResultT", bound=BaseModel)


class Lane(StrEnum):
    """Where a kind runs. A lane is one broker queue and one pool of workers."""

    COMPUTE = "compute"  # CPU-bound: prefork processes; a person watches a progress bar
    IO = "io"  # waits on other services: threads


class Priority(StrEnum):
    """Whether somebody waits for the answer. Batch jobs yield to the others for a minute."""

    INTERACTIVE = "interactive"
    BATCH = "batch"


@dataclass(frozen=True)
class Kind(Generic[RequestT, ResultT]):
    """A kind of job, declared once in `tasks/<kind>/contract.py`.

    Attributes:
        name: stable wire name, e.g. ``plan_route``.
        request: what the client posts; stored as the job's input.
        result: what a successful run returns; stored as the job's result.
        lane: which pool of workers serves it.
        time_limit_s: longest run of one attempt, in seconds; after it the attempt is a crash.
        max_attempts: how many attempts may end in a retryable error before the job fails.
        priority: of its jobs, unless the request says otherwise.
        improves: the job holds a usable result before its end, so that `finish` makes sense.
        schedulable: its owner may let the clock submit it with any valid request. Not for kinds
            that only our own code may submit.
    """

    name: str
    request: type[RequestT]
    result: type[ResultT]
    lane: Lane
    time_limit_s: float = 180.0
    max_attempts: int = 3
    priority: Priority = Priority.INTERACTIVE
    improves: bool = False
    schedulable: bool = False

    def __post_init__(self) -> None:
        KINDS[self.name] = self


#: Every kind whose contract this process has loaded, by name.
KINDS: dict[str, Kind[Any, Any]] = {}


class Progress(BaseModel):
    """How far a run has come. `fraction` is 0..1 and never goes back within an attempt."""

    model_config = ConfigDict(frozen=True)

    fraction: float = Field(default=0.0, ge=0.0, le=1.0)
    stage: str = ""
    message: str = ""
    data: dict[str, Any] = Field(default_factory=dict)


#: Largest checkpoint, as JSON in ASCII. Bytes.
CHECKPOINT_MAX = 256 * 1024


class Run(Protocol):
    """What an engine may ask of the job around it."""

    @property
    def owner_id(self) -> UUID:
        """Whose job it is."""
        ...

    @property
    def restored(self) -> dict[str, Any] | None:
        """The newest checkpoint of the attempts before this one, if there is any.

        It may come from another release: whoever cannot make sense of it starts afresh.
        """
        ...

    def checkpoint(self, state: dict[str, Any]) -> None:
        """Save how far the job has come, for the attempt that follows if this one dies, errs or
        has to give way. Returns at once; the newest of many wins, and is durable about a second
        later. Under the fence: a run that is no longer ours saves nothing. Gone when the job ends.

        Args:
            state: JSON values, at most `CHECKPOINT_MAX` bytes; a copy is taken.

        Raises:
            RunStopped: as `check`.
            ValueError: `state` is too large, or cannot be said in JSON.
        """
        ...

    @property
    def finish_requested(self) -> bool:
        """True once somebody asked to keep the best result so far."""
        ...

    def check(self) -> None:
        """Return while the job should go on.

        Raises:
            RunStopped: the job was cancelled, ran past its deadline, or another
                worker owns it now. An engine lets it pass.
        """
        ...

    def report(self, progress: Progress) -> None:
        """Publish progress. Never blocks on the network; the newest of many wins.

        Raises:
            RunStopped: as `check`.
        """
        ...

    def artifact(self, name: str, media_type: str, content: bytes | Path) -> UUID:
        """Add a file to the job; its owner hears of it at once.

        The bytes are stored first, then row, number and `job.artifact` are written in one
        statement under the fence. Where the fence is lost, the bytes are swept later.

        A name stands once in a job: the same name again replaces the file, whichever attempt
        made it. So attempts that start over do not show their files twice, and those that
        resume keep what was made before. The same bytes keep their id; others get a new one,
        for what lies at an address never changes.

        Args:
            name: what people see, `report.pdf`; anything that is no name is cleaned away.
            content: the bytes, or a file that holds them and may be deleted afterwards.

        Returns:
            The id of the artifact.

        Raises:
            RunStopped: as `check`, also where the fence turns out to be lost.
            JobFailed: the store is away; another attempt may find it.
            ValueError: `media_type` is none.
        """
        ...

    def children(self, wanted: Sequence[Child], *, fail_fast: bool = True) -> list[ChildOutcome]:
        """Start jobs, wait for all of them without a worker, and get what came of them.

        Where one of them has not ended, this attempt ends here: the job moves to `waiting` in
        the transaction that writes its children, and the body is run anew when the last of
        them has ended. It comes to this call again, which then returns. So whatever stands
        before it is done twice, and must lead to the same keys. An attempt that waited is none
        of the `max_attempts`.

        Several calls, one after the other, are several waits; then all keys must differ.

        Args:
            fail_fast: the first that does not succeed has the others cancelled, and the job
                fails with `CHILD_FAILED`. Else all run to their ends, and the caller looks.

        Returns:
            Their ends, in the order of `wanted`.

        Raises:
            RunStopped: as `check`, and to end the attempt. An engine lets it pass.
            JobFailed: with `fail_fast`, one did not succeed; or there are too many.
            ValueError: two have the same key.
        """
        ...


class RunStopped(Exception):
    """This run must end without a result; whoever stopped it settles the job."""


@dataclass(eq=False)
class JobFailed(Exception):
    """The job cannot succeed, or not now: an error that its owner should read.

    Attributes:
        code: UPPER_SNAKE error code of the contract.
        detail: one sentence for a person.
        status: the HTTP status that the same fact would have.
        retryable: whether another attempt may succeed.
        extra: further members of the error body (RFC 9457 section 3.2).
    """

    code: str
    detail: str
    status: int = 422
    retryable: bool = False
    extra: dict[str, Any] = field(default_factory=dict)

    def __str__(self) -> str:
        return f"{self.code}: {self.detail}"

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (self.code, self.detail, self.status, self.retryable, self.extra)
