"""The bytes of receipts, for work on them: an original fetched, what was made of it stored."""

from __future__ import annotations

import hashlib
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import IO
from uuid import UUID

from core.database import Database, perform
from services.artifacts.store import RECEIPTS, ArtifactStore, Content, new_key
from services.receipts.storing import NewFile
from services.receipts.views import RECORDS, FileView, any_file


def stored(
    store: ArtifactStore, content: bytes | IO[bytes], role: str, number: int, media_type: str
) -> NewFile:
    """Store bytes below a key of their own, and say what its row shall say.

    Raises:
        ArtifactsAway
    """
    key, whole = new_key(RECEIPTS), content
    if isinstance(whole, bytes):
        digest, size = hashlib.sha256(whole), len(whole)
    else:
        whole.seek(0)
        digest = hashlib.sha256()
        while piece := whole.read(1 << 18):
            digest.update(piece)
        size = whole.tell()
        whole.seek(0)
    given: Content = whole
    store.put(key, given)
    return NewFile(role, number, media_type, size, digest.hexdigest(), key)


@dataclass(frozen=True)
class Shelf:
    """The receipts of one owner.

    Attributes:
        database: of the role `app`.
    """

    store: ArtifactStore
    database: Database
    owner_id: UUID

    def find(self, receipt_id: UUID, role: str, number: int = 0) -> FileView | None:
        """A file of a receipt, deleted or not.

        Raises:
            ReceiptNotFound
        """
        with self.database.transaction(self.owner_id) as session:
            perform(session, RECORDS.read(self.owner_id, receipt_id, deleted=True))
            return perform(session, any_file(self.owner_id, receipt_id, role, number))

    def pages(self, receipt_id: UUID) -> list[FileView]:
        """The pictures of a document's first pages, in order."""
        found: list[FileView] = []
        while (page := self.find(receipt_id, "page", len(found) + 1)) is not None:
            found.append(page)
        return found

    def content(self, file: FileView) -> bytes:
        """The bytes of a file of ours, which is small.

        Raises:
            ArtifactLost, ArtifactsAway.
        """
        with self.fetched(file) as content:
            return content.read()

    @contextmanager
    def fetched(self, file: FileView) -> Iterator[IO[bytes]]:
        """The bytes, in a file without a name: whoever is killed leaves nothing on the disk.

        Raises:
            ArtifactLost, ArtifactsAway.
        """
        with tempfile.TemporaryFile() as content:
            self.store.fetch(file.location, content)
            # another process may get it, and it reads what is in the file
            content.flush()
            content.seek(0)
            yield content

    def put(self, role: str, number: int, media_type: str, content: bytes) -> NewFile:
        """
        Raises:
            ArtifactsAway
        """
        return stored(self.store, content, role, number, media_type)
