"""Entries of the books: made, read, changed, deleted and restored, the same for every table."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields
from datetime import datetime
from typing import Any, ClassVar, Generic, TypeVar
from uuid import UUID

from sqlalchemy import Column, ColumnElement, Table, func, insert, select, update

from core.database import Steps
from core.errors import NotFound, PreconditionFailed
from core.ids import new_id
from services.idempotency import IdempotencyKey, take_key
from services.trips.edit import Made, Versions


@dataclass(frozen=True)
class Entry:
    """What all entries have. A subclass adds its columns, and says which its owner writes."""

    WRITTEN: ClassVar[tuple[str, ...]] = ()

    id: UUID
    version: int
    created_at: datetime
    updated_at: datetime
    deleted_at: datetime | None

    def written(self) -> dict[str, Any]:
        """What its owner has written, as it was sent."""
        return {name: getattr(self, name) for name in self.WRITTEN}


E = TypeVar("E", bound=Entry)


@dataclass(frozen=True)
class Book(Generic[E]):
    """One table of entries.

    Attributes:
        absent: what to raise where there is no such entry of the owner.
    """

    table: Table
    view: type[E]
    absent: type[NotFound]

    @property
    def columns(self) -> list[Column[Any]]:
        return [self.table.c[field.name] for field in fields(self.view)]

    def of(self, owner_id: UUID, *, deleted: bool = False) -> list[ColumnElement[bool]]:
        """The entries of an owner: those that are there, or those that are deleted."""
        gone = self.table.c.deleted_at
        return [
            self.table.c.owner_id == owner_id,
            gone.is_not(None) if deleted else gone.is_(None),
        ]

    def read(self, owner_id: UUID, entry_id: UUID, *, deleted: bool = False) -> Steps[E]:
        """One entry of its owner.

        Args:
            deleted: whether to find it although it is deleted.
        """
        wanted = select(*self.columns).where(
            self.table.c.id == entry_id, self.table.c.owner_id == owner_id
        )
        if not deleted:
            wanted = wanted.where(self.table.c.deleted_at.is_(None))
        row = (yield wanted).one_or_none()
        if row is None:
            raise self.absent
        return self.view(**row._mapping)

    def page(
        self,
        conditions: list[ColumnElement[bool]],
        order: Sequence[ColumnElement[Any]],
        *,
        limit: int,
        offset: int,
    ) -> Steps[list[E]]:
        """Some of the entries that meet the conditions, in order."""
        wanted = select(*self.columns).where(*conditions).order_by(*order)
        rows = (yield wanted.limit(limit).offset(offset)).all()
        return [self.view(**row._mapping) for row in rows]

    def create(
        self,
        owner_id: UUID,
        columns: Steps[dict[str, Any]],
        *,
        key: IdempotencyKey | None = None,
    ) -> Steps[Made]:
        """Write an entry.

        Args:
            columns: what comes to its row; not looked at where the key made one already.

        Raises:
            KeyReused, KeyInFlight: see `take_key`.
        """
        entry_id = new_id()
        if key is not None:
            earlier = yield from take_key(owner_id, key, 201, entry_id)
            if earlier != entry_id:
                return Made(earlier, replayed=True)
        row = yield from columns
        yield insert(self.table).values(id=entry_id, owner_id=owner_id, **row)
        return Made(entry_id)

    def change(
        self,
        owner_id: UUID,
        entry_id: UUID,
        revise: Callable[[E], dict[str, Any]],
        complete: Callable[[E, dict[str, Any]], Steps[dict[str, Any]]],
        versions: Versions = None,
    ) -> Steps[E]:
        """Change what the owner has written; what is the same already makes no new version.

        Args:
            revise: from the entry as it is to what shall be written.
            complete: the columns of that.

        Raises:
            PreconditionFailed: the version is another.
        """
        yield from self._lock(owner_id, entry_id, versions)
        before = yield from self.read(owner_id, entry_id)
        written = revise(before)
        if written == before.written():
            return before
        row = yield from complete(before, written)
        yield from self._touch(entry_id, **row)
        return (yield from self.read(owner_id, entry_id))

    def delete(self, owner_id: UUID, entry_id: UUID, versions: Versions = None) -> Steps[None]:
        """Hide an entry.

        Raises:
            PreconditionFailed: the version is another.
        """
        yield from self._lock(owner_id, entry_id, versions)
        yield from self._touch(entry_id, deleted_at=func.now())

    def restore(self, owner_id: UUID, entry_id: UUID) -> Steps[E]:
        """Bring a deleted entry back; one that is not deleted stays as it is."""
        yield from self._lock(owner_id, entry_id, deleted=True)
        entry = yield from self.read(owner_id, entry_id, deleted=True)
        if entry.deleted_at is None:
            return entry
        yield from self._touch(entry_id, deleted_at=None)
        return (yield from self.read(owner_id, entry_id))

    def _lock(
        self,
        owner_id: UUID,
        entry_id: UUID,
        versions: Versions = None,
        *,
        deleted: bool = False,
    ) -> Steps[None]:
        """Hold an entry until the transaction ends: one change after the other."""
        wanted = select(self.table.c.version).where(
            self.table.c.id == entry_id, self.table.c.owner_id == owner_id
        )
        if not deleted:
            wanted = wanted.where(self.table.c.deleted_at.is_(None))
        version = (yield wanted.with_for_update()).scalar_one_or_none()
        if version is None:
            raise self.absent
        if versions is not None and version not in versions:
            raise PreconditionFailed

    def _touch(self, entry_id: UUID, **columns: Any) -> Steps[None]:
        yield (
            update(self.table)
            .where(self.table.c.id == entry_id)
            .values(version=self.table.c.version + 1, updated_at=func.now(), **columns)
        )
