"""Pictures: opened as what they say they are, shrunk, turned upright, and drawn anew."""

from __future__ import annotations

import warnings
from io import BytesIO

from PIL import Image

from tasks.take_receipt.engine.product import Limits, Product, Refused, Taken, broken
from tasks.take_receipt.engine.traces import orientation_of, traces_of

#: The decoder of each media type. Nothing else of Pillow's is ever asked: it guesses otherwise.
FORMATS = {
    "image/jpeg": "JPEG",
    "image/png": "PNG",
    "image/webp": "WEBP",
    "image/heic": "HEIF",
}
#: Longest edges of what is kept, and of what lists show. Pixels.
LONG_EDGE, THUMBNAIL_EDGE = 2000, 400
#: JPEG qualities of the two: print stays sharp at the first.
QUALITY, THUMBNAIL_QUALITY = 85, 75
#: How to turn a picture by its EXIF orientation (CIPA DC-008, table 6).
TURNS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}


def take_picture(content: bytes, media_type: str, limits: Limits) -> Taken:
    """
    Raises:
        Refused: it is broken, or has too many pixels.
    """
    image = _opened(content, media_type, limits)
    traces = traces_of(image)
    clean = _clean(image)
    return Taken(1, [Product("file", 0, "image/jpeg", jpeg(clean)), thumbnail(clean)], traces)


def _opened(content: bytes, media_type: str, limits: Limits) -> Image.Image:
    """The picture by its head; its pixels have not been looked at."""
    if media_type == "image/heic":
        import pi_heif

        pi_heif.register_heif_opener()
    Image.MAX_IMAGE_PIXELS = limits.pixels
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            # Pillow warns of what it could still open, up to twice the limit
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            image = Image.open(BytesIO(content), formats=(FORMATS[media_type],))
    except (Image.DecompressionBombWarning, Image.DecompressionBombError):
        raise _too_large(limits) from None
    except Exception as error:
        # whatever a decoder fails with, on bytes that anybody may have made
        raise broken() from error
    if image.width * image.height > limits.pixels:
        raise _too_large(limits)
    return image


def _too_large(limits: Limits) -> Refused:
    most = f"{limits.pixels // 1_000_000} million"
    return Refused("PICTURE_TOO_LARGE", f"A picture of a receipt has at most {most} pixels.")


def _clean(image: Image.Image) -> Image.Image:
    """The pixels alone, upright, small enough, on white: of the file itself nothing is left."""
    turn = TURNS.get(orientation_of(image))
    try:
        image.draft("RGB", (LONG_EDGE, LONG_EDGE))
        image.load()
        image = _deep(image)
        # in two steps: cheaper in memory, and as good to the eye
        image.thumbnail((LONG_EDGE, LONG_EDGE), Image.Resampling.LANCZOS, reducing_gap=3.0)
    except MemoryError:
        raise
    except Exception as error:
        raise broken() from error
    # a fresh picture, for Pillow carries comments and profiles over into what it writes
    clean = Image.new("RGB", image.size, "white")
    clean.paste(image.convert("RGB"), mask=image.getchannel("A") if "A" in image.mode else None)
    return clean if turn is None else clean.transpose(turn)


def _deep(image: Image.Image) -> Image.Image:
    """In a mode that can be resampled, with its transparency if it has any."""
    if image.mode.startswith("I"):  # 16 bits of grey, whose upper half is what one sees
        return image.convert("I").point(lambda value: value * (1 / 256)).convert("L")
    if image.mode in ("LA", "La", "PA", "RGBa") or "transparency" in image.info:
        return image.convert("RGBA")
    return image if image.mode in ("RGB", "RGBA", "L") else image.convert("RGB")


def jpeg(image: Image.Image, quality: int = QUALITY) -> bytes:
    """Of a picture that carries nothing but pixels."""
    written = BytesIO()
    image.save(written, "JPEG", quality=quality, optimize=True)
    return written.getvalue()


def thumbnail(image: Image.Image) -> Product:
    small = image.copy()
    small.thumbnail((THUMBNAIL_EDGE, THUMBNAIL_EDGE), Image.Resampling.LANCZOS)
    return Product("thumbnail", 0, "image/jpeg", jpeg(small, THUMBNAIL_QUALITY))
