"""Records of an owner: made, read, changed, deleted and restored, the same for every table."""

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

#: The versions that a caller is content to change; None: whichever it is.
Versions = frozenset[int] | None


def expect(version: int, versions: Versions) -> None:
    """Refuse to change what the caller has not seen.

    Raises:
        PreconditionFailed
    """
    if versions is not None and version not in versions:
        raise PreconditionFailed


@dataclass(frozen=True)
class Made:
    """Which record a request led to. `replayed`: an earlier request with its key made it."""

    id: UUID
    replayed: bool = False


def made_before(owner_id: UUID, key: IdempotencyKey | None, fresh_id: UUID) -> Steps[Made | None]:
    """Claim the key of a request for a record with this id, or learn what it made before.

    Raises:
        KeyReused, KeyInFlight: see `take_key`.
    """
    if key is None:
        return None
    earlier = yield from take_key(owner_id, key, 201, fresh_id)
    return None if earlier == fresh_id else Made(earlier, replayed=True)


@dataclass(frozen=True)
class Record:
    """What all records have. A subclass adds its columns, and says which its owner writes."""

    WRITTEN: ClassVar[tuple[str, ...]] = ()

    id: UUID
    version: int
    created_at: datetime
    updated_at: datetime
    deleted_at: datetime | None

    def written(self) -> dict[str, Any]:
        """What its owner has written, as it was sent."""
        return {name: getattr(self, name) for name in self.WRITTEN}

    def columns(self) -> dict[str, Any]:
        """The same as `Records.change` shall compare it."""
        return self.written()


R = TypeVar("R", bound=Record)


@dataclass(frozen=True)
class Records(Generic[R]):
    """One table of records with a version each, which are hidden when they are deleted.

    Attributes:
        absent: what to raise where the owner has no such record.
    """

    table: Table
    view: type[R]
    absent: type[NotFound]

    @property
    def columns(self) -> list[Column[Any]]:
        return [self.table.c[field.name] for field in fields(self.view)]

    def of(self, owner_id: UUID, *, deleted: bool = False) -> list[ColumnElement[bool]]:
        """The records of an owner: those that are there, or those that are deleted."""
        gone = self.table.c.deleted_at
        return [
            self.table.c.owner_id == owner_id,
            gone.is_not(None) if deleted else gone.is_(None),
        ]

    def _one(self, owner_id: UUID, record_id: UUID, *, deleted: bool) -> list[ColumnElement[bool]]:
        """One record; where `deleted` is set, although it is deleted."""
        found = [self.table.c.id == record_id, self.table.c.owner_id == owner_id]
        return found if deleted else [*found, self.table.c.deleted_at.is_(None)]

    def read(self, owner_id: UUID, record_id: UUID, *, deleted: bool = False) -> Steps[R]:
        """One record of its owner.

        Args:
            deleted: whether to find it although it is deleted.

        Raises:
            NotFound: `absent`.
        """
        one = self._one(owner_id, record_id, deleted=deleted)
        row = (yield select(*self.columns).where(*one)).one_or_none()
        if row is None:
            raise self.absent
        return self.view(**row._mapping)

    def order(self, sort: str) -> list[ColumnElement[Any]]:
        """By a column, after `-` the largest first; what has none comes last."""
        column, key = self.table.c[sort.removeprefix("-")], self.table.c.id
        if sort.startswith("-"):
            return [column.desc().nulls_last(), key.desc()]
        return [column.asc().nulls_last(), key.asc()]

    def page(
        self,
        conditions: list[ColumnElement[bool]],
        order: Sequence[ColumnElement[Any]],
        *,
        limit: int,
        offset: int,
    ) -> Steps[list[R]]:
        """Some of the records that meet the conditions, in order."""
        wanted = select(*self.columns).where(*conditions).order_by(*order)
        rows = (yield wanted.limit(limit).offset(offset)).all()
        return [self.view(**row._mapping) for row in rows]

    def counted_page(
        self,
        conditions: list[ColumnElement[bool]],
        order: Sequence[ColumnElement[Any]],
        *,
        limit: int,
        offset: int,
    ) -> Steps[tuple[list[R], int]]:
        """`page`, and how many records meet the conditions in all."""
        counted = select(func.count()).select_from(self.table).where(*conditions)
        total = (yield counted).scalar_one()
        return (yield from self.page(conditions, order, limit=limit, offset=offset)), int(total)

    def create(
        self,
        owner_id: UUID,
        columns: dict[str, Any] | Steps[dict[str, Any]],
        *,
        key: IdempotencyKey | None = None,
    ) -> Steps[Made]:
        """Write a record.

        Args:
            columns: of its row; steps to them are not taken where the key made one already.

        Raises:
            KeyReused, KeyInFlight: see `take_key`.
        """
        made = Made(new_id())
        earlier = yield from made_before(owner_id, key, made.id)
        if earlier is not None:
            return earlier
        row = columns if isinstance(columns, dict) else (yield from columns)
        yield insert(self.table).values(id=made.id, owner_id=owner_id, **row)
        return made

    def change(
        self,
        owner_id: UUID,
        record_id: UUID,
        revise: Callable[[R], dict[str, Any]],
        versions: Versions = None,
        *,
        complete: Callable[[R, dict[str, Any]], Steps[dict[str, Any]]] | None = None,
    ) -> Steps[R]:
        """Change what the owner has written; what is the same already makes no new version.

        Args:
            revise: from the record as it is to its `columns()` as they shall be.
            complete: all columns of the row that follow from those; None: those alone.

        Raises:
            NotFound: `absent`.
            PreconditionFailed: the version is another.
        """
        yield from self.lock(owner_id, record_id, versions)
        before = yield from self.read(owner_id, record_id)
        columns = revise(before)
        if columns == before.columns():
            return before
        row = columns if complete is None else (yield from complete(before, columns))
        yield from self.touch(owner_id, record_id, **row)
        return (yield from self.read(owner_id, record_id))

    def delete(self, owner_id: UUID, record_id: UUID, versions: Versions = None) -> Steps[None]:
        """Hide a record, and what belongs to it.

        Raises:
            NotFound: `absent`.
            PreconditionFailed: the version is another.
        """
        yield from self.lock(owner_id, record_id, versions)
        yield from self.touch(owner_id, record_id, deleted_at=func.now())

    def restore(self, owner_id: UUID, record_id: UUID) -> Steps[R]:
        """Bring a deleted record back as it was; one that is not deleted stays as it is.

        Raises:
            NotFound: `absent`.
        """
        yield from self.lock(owner_id, record_id, deleted=True)
        record = yield from self.read(owner_id, record_id, deleted=True)
        if record.deleted_at is None:
            return record
        yield from self.touch(owner_id, record_id, deleted_at=None)
        return (yield from self.read(owner_id, record_id))

    def lock(
        self,
        owner_id: UUID,
        record_id: UUID,
        versions: Versions = None,
        *,
        deleted: bool = False,
    ) -> Steps[int]:
        """Hold a record until the transaction ends: who changes it or its parts comes here first.

        Args:
            versions: which the caller is content with.
            deleted: whether to find it although it is deleted.

        Returns:
            Its version.

        Raises:
            NotFound: `absent`.
            PreconditionFailed: the version is another.
        """
        one = self._one(owner_id, record_id, deleted=deleted)
        held = select(self.table.c.version).where(*one).with_for_update()
        version = (yield held).scalar_one_or_none()
        if version is None:
            raise self.absent
        expect(version, versions)
        return int(version)

    def touch(self, owner_id: UUID, record_id: UUID, **columns: Any) -> Steps[int]:
        """Write columns of a locked record and give it the next version.

        Returns:
            That version.
        """
        written = yield (
            update(self.table)
            .where(self.table.c.id == record_id, self.table.c.owner_id == owner_id)
            .values(version=self.table.c.version + 1, updated_at=func.now(), **columns)
            .returning(self.table.c.version)
        )
        return int(written.scalar_one())
