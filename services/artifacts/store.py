"""Where the bytes of artifacts lie: a folder, or any store that speaks S3."""

from __future__ import annotations

import os
import re
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cached_property
from pathlib import Path
from typing import IO, Any, Protocol

import obstore
from obstore.exceptions import BaseError
from obstore.store import LocalStore, MemoryStore, S3Store

from core.errors import AppError, StoreUnavailable
from core.ids import public_id
from core.settings import Settings

#: Keys begin with two hexadecimal digits, so that all of them can be seen share by share.
SHARDS = tuple(f"{number:02x}" for number in range(256))
#: Those of receipts do so behind this word, where the sweep of a release that knows no receipts
#: does not look.
RECEIPTS = "receipts"
#: A share beside them, with a mark of each database whose rows name keys of this store.
OWNERS = "owners"
#: Pieces in which bytes are read: small beside the memory of a process. Bytes.
PIECE = 256 * 1024
#: Bytes to be stored: themselves, or a file that holds them, open or by its path.
Content = bytes | Path | IO[bytes]
#: Keys that one request for a listing or a deletion names.
BATCH = 1000


class ArtifactLost(AppError):
    """The bytes of this file are gone."""

    status, code = 410, "ARTIFACT_LOST"


class ArtifactsAway(StoreUnavailable):
    """The store of artifacts is not reachable right now."""


def new_key(within: str | None = None) -> str:
    """A random key: nothing that a user or an engine says becomes part of a path.

    Args:
        within: `RECEIPTS`; None: that of an artifact.
    """
    name = public_id().hex
    key = f"{name[:2]}/{name}"
    return key if within is None else f"{within}/{key}"


def places_of(shard: str) -> tuple[str, ...]:
    """Where the keys of a shard are listed: those of artifacts, and those of receipts."""
    return shard, f"{RECEIPTS}/{shard}"


@dataclass(frozen=True)
class Stored:
    """Bytes in the store."""

    key: str
    modified_at: datetime


class ArtifactStore(Protocol):
    """Holds bytes by key. Every method may raise `ArtifactsAway`."""

    def put(self, key: str, content: Content) -> None:
        """Store bytes, whole or not at all; on return they outlive a crash."""
        ...

    def fetch(self, key: str, into: IO[bytes]) -> None:
        """Write all bytes below a key to a file.

        Raises:
            ArtifactLost: there is nothing below the key.
        """
        ...

    async def open(self, key: str, size: int, start: int, end: int) -> AsyncIterator[bytes]:
        """Open the bytes from `start` up to, not including, `end`, to be read in pieces.

        Args:
            size: how many bytes there must be in all.

        Raises:
            ArtifactLost: there is nothing below the key, or not all of it.
        """
        ...

    def list(self, shard: str) -> Iterator[Stored]:
        """All that lies in a share of the keys, in any order."""
        ...

    def delete(self, keys: Sequence[str]) -> None:
        """Delete what there is of these."""
        ...

    def drop_partial(self, shard: str, before: datetime) -> None:
        """Delete what uploads left that broke off before a point in time."""
        ...


@contextmanager
def _reachable() -> Iterator[None]:
    """Say in one way that the store is away, however it fails."""
    try:
        yield
    except FileNotFoundError:
        raise ArtifactLost from None
    except (BaseError, OSError) as error:
        raise ArtifactsAway from error


class ObjectStore:
    """Any store that `obstore` speaks to."""

    def __init__(self, store: S3Store | LocalStore | MemoryStore) -> None:
        self._given = store

    @cached_property
    def _store(self) -> Any:
        return self._given

    def put(self, key: str, content: Content) -> None:
        with _reachable():
            obstore.put(self._store, key, content)

    def fetch(self, key: str, into: IO[bytes]) -> None:
        with _reachable():
            for piece in obstore.get(self._store, key).stream(min_chunk_size=PIECE):
                into.write(piece)

    async def open(self, key: str, size: int, start: int, end: int) -> AsyncIterator[bytes]:
        with _reachable():
            found = await obstore.get_async(
                self._store, key, options={"range": (start, end)} if end > start else {}
            )
        if found.meta["size"] != size:
            raise ArtifactLost
        return self._pieces(found.stream(min_chunk_size=PIECE))

    async def _pieces(self, stream: AsyncIterator[Any]) -> AsyncIterator[bytes]:
        async for piece in stream:
            yield bytes(piece)

    def list(self, shard: str) -> Iterator[Stored]:
        with _reachable():
            for page in obstore.list(self._store, shard, chunk_size=BATCH):
                for each in page:
                    yield Stored(each["path"], each["last_modified"])

    def delete(self, keys: Sequence[str]) -> None:
        for first in range(0, len(keys), BATCH):
            # some stores call it an error that a key is gone already, which is all we want
            with _reachable(), suppress(FileNotFoundError):
                obstore.delete(self._store, list(keys[first : first + BATCH]))

    def drop_partial(self, shard: str, before: datetime) -> None:
        """Nothing: a rule of the bucket ends incomplete uploads (docs/decisions)."""


class Folder(ObjectStore):
    """A folder of this machine, made when it is first needed."""

    def __init__(self, root: Path) -> None:
        self._root = root.absolute()

    @cached_property
    def _store(self) -> Any:
        # readable for its owner alone; what lies in it takes the usual mode
        self._root.mkdir(mode=0o700, parents=True, exist_ok=True)
        return LocalStore(self._root)

    def put(self, key: str, content: Content) -> None:
        super().put(key, content)
        with _reachable():
            # the row that names these bytes survives a power cut, and so must they
            for path in (Path(key), *Path(key).parents):
                _sync(self._root / path)

    def delete(self, keys: Sequence[str]) -> None:
        for key in keys:
            with _reachable():
                (self._root / key).unlink(missing_ok=True)

    def drop_partial(self, shard: str, before: datetime) -> None:
        with _reachable(), suppress(FileNotFoundError):
            for entry in os.scandir(self._root / shard):
                # a file under way is called `key#1`, and listings leave it out
                if re.search(r"#\d+$", entry.name):
                    modified = datetime.fromtimestamp(entry.stat().st_mtime, UTC)
                    if modified < before:
                        os.unlink(entry.path)


def _sync(path: Path) -> None:
    number = os.open(path, os.O_RDONLY)
    try:
        os.fsync(number)
    finally:
        os.close(number)


def open_store(settings: Settings) -> ArtifactStore:
    """The store that the settings name; nothing is touched before its first use."""
    if settings.artifacts_url is None:
        return Folder(settings.data_dir / "artifacts")
    # obstore reads the usual AWS_… variables: keys, region, endpoint
    store = S3Store.from_url(
        settings.artifacts_url,
        client_options={
            # options that are given here hide this one variable from obstore
            "allow_http": os.environ.get("AWS_ALLOW_HTTP", "").lower() in ("true", "1", "yes"),
            "connect_timeout": timedelta(seconds=3),
            # a download lasts as long as its reader needs; silence is what must not last
            "timeout": timedelta(hours=1),
            "read_timeout": timedelta(seconds=20),
        },
        retry_config={"max_retries": 3, "retry_timeout": timedelta(seconds=20)},
    )
    return ObjectStore(store)
