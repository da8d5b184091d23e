"""What is made of an original: clean pictures and documents, or a clear refusal."""

from __future__ import annotations

import random
from io import BytesIO
from pathlib import Path

import pikepdf
import pypdfium2
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from tasks.take_receipt.contract import media_type_of
from tasks.take_receipt.engine.looking import look
from tasks.take_receipt.engine.product import Limits, Product, Refused, Taken
from tests import receipts
from tests.receipts import PHOTO, drawn, encoded, exif

LIMITS = Limits(pixels=50_000_000, pages=20)
HEIC = Path(__file__).parents[2] / "data" / "receipts" / "gps.heic"
TRACES = {"taken_at": "2026-01-14T10:22:00", "place": {"lat": -35.108333, "lon": 147.366667}}
#: What no file of ours may hold.
TOLD = (b"Exif", b"secret", b"<script>", b"PK\x03\x04", b"2026:01:14", b"http://ns.adobe.com")


def taken(content: bytes, media_type: str | None = None) -> Taken:
    return look(content, media_type or media_type_of(content) or "", LIMITS)


def part(made: Taken, role: str = "file") -> Product:
    return next(each for each in made.products if each.role == role)


def seen(made: Taken, role: str = "file") -> Image.Image:
    return Image.open(BytesIO(part(made, role).content))


def refusal(content: bytes, media_type: str | None = None) -> str:
    with pytest.raises(Refused) as refused:
        taken(content, media_type)
    assert refused.value.detail
    return refused.value.code


class TestAPicture:
    @pytest.mark.parametrize(
        "content",
        [
            PHOTO,
            encoded(drawn(), "PNG", exif=exif()),
            encoded(drawn(), "WEBP", exif=exif().tobytes()),
            HEIC.read_bytes(),
        ],
        ids=["jpeg", "png", "webp", "heic"],
    )
    def test_tells_when_and_where_and_then_no_more(self, content: bytes) -> None:
        made = taken(content)
        assert made.traces == TRACES
        for product in made.products:
            assert product.media_type == "image/jpeg"
            assert not any(each in product.content for each in TOLD)
            assert not Image.open(BytesIO(product.content)).getexif()

    @pytest.mark.parametrize("mode", ["1", "L", "P", "LA", "RGBA", "CMYK", "I;16"])
    def test_of_any_mode_is_shown_on_white(self, mode: str) -> None:
        colours = drawn((200, 200), "RGBA" if mode in ("LA", "RGBA") else "RGB")
        if mode == "I;16":
            image = drawn((200, 200), "L").convert("I").point(lambda value: value * 257)
            image = image.convert("I;16")
        else:
            image = colours.convert(mode)
        content = encoded(image, "JPEG" if mode == "CMYK" else "PNG")
        shown = seen(taken(content)).convert("L")
        assert shown.getpixel((20, 20)) < 20  # type: ignore[operator]
        assert shown.getpixel((150, 150)) > 235  # type: ignore[operator]

    def test_that_is_transparent_is_white_there(self) -> None:
        shown = seen(taken(encoded(Image.new("RGBA", (90, 90), (0, 0, 0, 0)), "PNG")))
        assert set(shown.convert("L").tobytes()) == {255}

    @pytest.mark.parametrize("orientation", range(1, 9))
    def test_stands_upright(self, orientation: int) -> None:
        """As `exif_transpose` of Pillow would turn it, which fails on EXIF that is broken."""
        content = encoded(drawn(), "PNG", exif=exif(orientation))
        size = (300, 500) if orientation < 5 else (500, 300)
        shown = seen(taken(content)).convert("L")
        assert shown.size == size
        black = {1: (0, 0), 2: (1, 0), 3: (1, 1), 4: (0, 1), 5: (0, 0), 6: (1, 0), 7: (1, 1)}
        right, low = black.get(orientation, (0, 1))
        corner = (size[0] - 30 if right else 30, size[1] - 30 if low else 30)
        assert shown.getpixel(corner) < 20  # type: ignore[operator]

    def test_is_shrunk_and_never_grown(self) -> None:
        made = taken(encoded(drawn((900, 3000))))
        assert (seen(made).size, seen(made, "thumbnail").size) == ((600, 2000), (120, 400))
        small = taken(encoded(drawn((90, 30))))
        assert seen(small).size == seen(small, "thumbnail").size == (90, 30)

    def test_loses_what_was_appended(self) -> None:
        for tail in (b"<script>alert(1)</script>", b"PK\x03\x04 and a whole archive"):
            assert tail not in part(taken(PHOTO + tail)).content

    def test_with_nonsense_for_exif_is_a_picture_all_the_same(self) -> None:
        nonsense = b"Exif\0\0II*\0\x08\0\0\0\xff\xff" + random.Random(1).randbytes(300)
        made = taken(encoded(drawn(), exif=nonsense))
        assert seen(made).size == (300, 500)


class TestAPictureIsRefused:
    def test_when_it_is_cut_off(self) -> None:
        whole = encoded(Image.effect_noise((400, 400), 50).convert("RGB"))
        assert refusal(whole[: len(whole) // 2]) == "RECEIPT_BROKEN"

    def test_when_it_unpacks_to_too_much(self) -> None:
        content = receipts.bomb()
        assert len(content) < 250_000
        assert refusal(content) == "PICTURE_TOO_LARGE"

    def test_between_the_warning_and_the_error_of_pillow(self) -> None:
        """Which opens up to twice its own limit, and only warns."""
        assert refusal(receipts.bomb(8000)) == "PICTURE_TOO_LARGE"

    def test_when_it_is_something_else_than_it_begins_with(self) -> None:
        png = encoded(drawn(), "PNG")
        assert refusal(png, "image/jpeg") == "RECEIPT_BROKEN"
        assert refusal(b"\xff\xd8\xff" + png) == "RECEIPT_BROKEN"

    @settings(max_examples=40, deadline=None, derandomize=True)
    @given(st.binary(min_size=0, max_size=200), st.integers(0, 3))
    def test_however_it_goes_on_after_its_mark(self, rest: bytes, which: int) -> None:
        begin = [b"\xff\xd8\xff", b"\x89PNG\r\n\x1a\n", b"RIFF....WEBP", b"....ftypheic"][which]
        assert refusal(begin + rest) == "RECEIPT_BROKEN"


class TestADocument:
    def test_is_drawn_anew_with_pictures_of_its_first_pages(self) -> None:
        made = taken(receipts.pdf(5, PHOTO))
        assert made.pages == 5
        assert part(made).media_type == "application/pdf"
        assert [each.number for each in made.products if each.role == "page"] == [1, 2, 3]
        assert seen(made, "page").size == (1000, 2000)
        assert max(seen(made, "thumbnail").size) == 400

    @pytest.mark.parametrize("turn", [0, 90, 180, 270])
    def test_looks_as_it_did(self, turn: int) -> None:
        content = receipts.pdf(1, encoded(drawn((300, 400))), turn)
        before, after = (
            pypdfium2.PdfDocument(each)[0].render(scale=0.5).to_pil().convert("L")
            for each in (content, part(taken(content)).content)
        )
        assert before.size == after.size
        assert before.tobytes() == after.tobytes()

    def test_loses_scripts_attachments_links_and_what_its_photographs_tell(self) -> None:
        source = pikepdf.open(BytesIO(receipts.pdf(1, PHOTO)))
        source.attachments["evil.zip"] = b"PK\x03\x04 attached"
        script = pikepdf.Dictionary(S=pikepdf.Name.JavaScript, JS="app.alert(1)")
        source.Root.OpenAction = source.make_indirect(script)
        source.pages[0].AA = pikepdf.Dictionary(O=script)
        source.docinfo["/Author"] = "a secret"
        written = BytesIO()
        source.save(written)
        content = written.getvalue() + b"<script>alert(1)</script>"
        assert b"2026:01:14" in content
        clean = part(taken(content)).content
        assert not any(each in clean for each in TOLD)
        again = pikepdf.open(BytesIO(clean))
        assert not again.attachments
        assert set(again.Root.keys()) <= {"/Type", "/Pages"}
        assert "/AA" not in again.pages[0]
        assert b"JavaScript" not in clean

    def test_keeps_its_text(self) -> None:
        source = pikepdf.new()
        page = source.add_blank_page(page_size=(300, 300))
        font = pikepdf.Dictionary(
            Type=pikepdf.Name.Font, Subtype=pikepdf.Name.Type1, BaseFont=pikepdf.Name.Helvetica
        )
        page.Resources = pikepdf.Dictionary(Font=pikepdf.Dictionary(F=font))
        page.Contents = source.make_stream(b"BT /F 20 Tf 20 200 Td (TOTAL 12.34) Tj ET")
        written = BytesIO()
        source.save(written)
        clean = pypdfium2.PdfDocument(part(taken(written.getvalue())).content)
        assert clean[0].get_textpage().get_text_bounded().strip() == "TOTAL 12.34"


class TestADocumentIsRefused:
    @pytest.mark.parametrize("password", ["", "secret"])
    def test_when_it_is_encrypted(self, password: str) -> None:
        written = BytesIO()
        lock = pikepdf.Encryption(owner="owner", user=password)
        pikepdf.open(BytesIO(receipts.pdf())).save(written, encryption=lock)
        assert refusal(written.getvalue()) == "PDF_ENCRYPTED"

    def test_when_it_has_ten_thousand_pages(self) -> None:
        numbers = range(3, 10_003)
        kids = " ".join(f"{number} 0 R" for number in numbers)
        page = "<</Type/Page/Parent 2 0 R/MediaBox[0 0 9 9]>>"
        objects = [
            "1 0 obj<</Type/Catalog/Pages 2 0 R>>endobj",
            f"2 0 obj<</Type/Pages/Count 10000/Kids[{kids}]>>endobj",
            *(f"{number} 0 obj{page}endobj" for number in numbers),
            "trailer<</Root 1 0 R>>",
        ]
        with pytest.raises(Refused, match="10000") as refused:
            taken("\n".join(["%PDF-1.7", *objects, "%%EOF"]).encode())
        assert refused.value.code == "PDF_TOO_LONG"

    def test_when_it_is_cut_off_or_nonsense(self) -> None:
        whole = receipts.pdf(1, PHOTO)
        assert refusal(whole[:300]) == "RECEIPT_BROKEN"
        assert refusal(b"%PDF-1.7\n" + bytes(500)) == "RECEIPT_BROKEN"


class TestTheFirstBytes:
    @pytest.mark.parametrize(
        "content",
        [
            b"",
            b"GIF89a" + bytes(20),
            b"BM" + bytes(20),
            b"%!PS-Adobe-3.0 EPSF-3.0",
            b"PK\x03\x04" + bytes(20),
            b"<svg xmlns='http://www.w3.org/2000/svg'/>",
            b"<html>%PDF-1.4",
            b"RIFF....WAVEfmt ",
            b"....ftypisom....",
            b"\x7fELF" + bytes(20),
        ],
    )
    def test_of_anything_else_are_no_receipt(self, content: bytes) -> None:
        assert media_type_of(content) is None
