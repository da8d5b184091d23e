"""When and where a picture was taken, as its EXIF says: read before it is dropped."""

from __future__ import annotations

import math
from contextlib import suppress
from datetime import datetime
from typing import Any

from PIL import ExifTags, Image

#: Years that a camera's clock may honestly show; one that was never set begins in 1970 or 1980.
YEARS = range(1990, 2101)
Base, GPS, IFD = ExifTags.Base, ExifTags.GPS, ExifTags.IFD


def orientation_of(image: Image.Image) -> int:
    """How the picture has to be turned: 1 to 8 of the EXIF tag, 1 where it says nothing."""
    # EXIF is somebody's bytes, and Pillow fails on them in many ways
    with suppress(Exception):
        found = int(image.getexif().get(Base.Orientation, 1))
        if 1 <= found <= 8:
            return found
    return 1


def traces_of(image: Image.Image) -> dict[str, Any]:
    """What the EXIF suggests.

    Returns:
        `taken_at`: local time where it was taken, ISO 8601 without a zone; `place`: `lat` and
        `lon` in degrees (WGS 84). What it does not say, or not sensibly, is left out.
    """
    found: dict[str, Any] = {}
    with suppress(Exception):
        found["taken_at"] = _taken_at(image.getexif())
    with suppress(Exception):
        found["place"] = _place(image.getexif().get_ifd(IFD.GPSInfo))
    return found


def _taken_at(exif: Image.Exif) -> str:
    """
    Raises:
        Exception: it does not say.
    """
    details = exif.get_ifd(IFD.Exif)
    text = details.get(Base.DateTimeOriginal) or details.get(Base.DateTimeDigitized)
    at = datetime.strptime(str(text).strip("\0 "), "%Y:%m:%d %H:%M:%S")  # noqa: DTZ007
    if at.year not in YEARS:
        raise ValueError(at.year)
    return at.isoformat()


def _place(gps: dict[int, Any]) -> dict[str, float]:
    """
    Raises:
        Exception: it does not say.
    """
    lat = _degrees(gps[GPS.GPSLatitude], gps[GPS.GPSLatitudeRef], "S")
    lon = _degrees(gps[GPS.GPSLongitude], gps[GPS.GPSLongitudeRef], "W")
    if abs(lat) > 90 or abs(lon) > 180 or (lat, lon) == (0, 0):
        raise ValueError((lat, lon))
    return {"lat": lat, "lon": lon}


def _degrees(parts: Any, half: Any, negative: str) -> float:
    degrees, minutes, seconds = (float(part) for part in parts)
    value = degrees + minutes / 60 + seconds / 3600
    if not math.isfinite(value):
        raise ValueError(value)
    # six decimals are a tenth of a metre
    return round(-value if str(half).strip("\0 ").upper() == negative else value, 6)
