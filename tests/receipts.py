"""Receipts of a user: pictures and PDFs, as people and others send them."""

from __future__ import annotations

import struct
import zlib
from io import BytesIO
from typing import Any
from uuid import UUID

import httpx2
import pypdfium2
from PIL import Image, ImageDraw

from core.database import Database, Role, perform
from core.settings import get_settings
from services.artifacts.store import open_store
from services.receipts import storing
from services.receipts.shelf import Shelf
from tasks.take_receipt.taking import take
from tests.conftest import User

Json = dict[str, Any]
RECEIPTS = "/api/v1/receipts"


def encoded(image: Image.Image, kind: str = "JPEG", **options: Any) -> bytes:
    written = BytesIO()
    image.save(written, kind, **options)
    return written.getvalue()


def drawn(size: tuple[int, int] = (300, 500), mode: str = "RGB") -> Image.Image:
    """White, with a black corner at the top left."""
    image = Image.new(mode, size, "white")
    ImageDraw.Draw(image).rectangle((0, 0, 60, 60), fill="black")
    return image


def exif(orientation: int = 1) -> Image.Exif:
    """Of a picture taken in Wagga Wagga."""
    made = Image.Exif()
    made[0x0112] = orientation
    made.get_ifd(0x8769)[0x9003] = "2026:01:14 10:22:00"
    gps = {1: "S", 2: (35.0, 6.0, 30.0), 3: "E", 4: (147.0, 22.0, 0.0)}
    made.get_ifd(0x8825).update(gps)
    return made


PHOTO = encoded(drawn(), exif=exif(), comment=b"a secret")


def bomb(side: int = 40_000) -> bytes:
    """A PNG of one colour, a thousandth of its pixels in bytes."""

    def chunk(name: bytes, content: bytes) -> bytes:
        check = struct.pack(">I", zlib.crc32(name + content))
        return struct.pack(">I", len(content)) + name + content + check

    packer = zlib.compressobj(9)
    row = b"\0" + b"\0" * (side // 8)
    packed = b"".join(packer.compress(row * 100) for _ in range(side // 100)) + packer.flush()
    head = struct.pack(">IIBBBBB", side, side, 1, 0, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        (chunk(b"IHDR", head), chunk(b"IDAT", packed), chunk(b"IEND", b""))
    )


def pdf(pages: int = 1, picture: bytes | None = None, turn: int = 0) -> bytes:
    """Pages of 300 by 600 points, with a picture at the foot of each."""
    document = pypdfium2.PdfDocument.new()
    for _ in range(pages):
        page = document.new_page(300, 600)
        if picture is not None:
            shown = pypdfium2.PdfImage.new(document)
            shown.load_jpeg(BytesIO(picture), inline=True)
            shown.set_matrix(pypdfium2.PdfMatrix().scale(300, 400))
            page.insert_obj(shown)
            page.gen_content()
        page.set_rotation(turn)
    written = BytesIO()
    document.save(written)
    return written.getvalue()


async def send(
    user: User, content: bytes = PHOTO, *, wait_s: int = 0, name: str = "photo.jpg", **fields: str
) -> httpx2.Response:
    """In a form, as browsers do."""
    headers = {"Prefer": f"wait={wait_s}"} if wait_s else {}
    form: Json = {"files": {"file": (name, content)}, "data": fields}
    answer: httpx2.Response = await user.http.post(RECEIPTS, headers=headers, **form)
    return answer


async def made(user: User, content: bytes = PHOTO, **fields: str) -> Json:
    """A receipt that is ready, by a worker."""
    answer = await send(user, content, wait_s=25, **fields)
    assert answer.status_code == 201, answer.text
    receipt: Json = answer.json()["data"]
    assert receipt["status"] == "ready", receipt
    return receipt


def take_here(owner_id: UUID, receipt_id: UUID) -> None:
    """Take a receipt in this process; no worker has to be about, and its job goes on for ever."""
    settings = get_settings()
    database = Database(settings, Role.APP, pool_size=0)
    shelf = Shelf(open_store(settings), database, owner_id)
    result = take(shelf, receipt_id, settings.max_receipt_pages, lambda: None)
    files = [storing.NewFile(**vars(each)) for each in result.files]
    with database.transaction(owner_id) as session:
        perform(session, storing.keep(owner_id, receipt_id, files, pages=1, suggested={}))
