"""Names of artifacts: shown to people, sent in headers, never part of a path."""

from __future__ import annotations

import re
import unicodedata
from urllib.parse import quote

#: Longest name that is kept, in characters: file systems stop at 255 bytes.
LONGEST = 120
#: What turns the reading direction around can make `gpj.exe` look like a picture.
_DIRECTIONS = re.compile("[\u200e\u200f\u202a-\u202e\u2066-\u2069\ufeff]")
#: Control characters, halves of surrogate pairs, line and paragraph separators.
_UNSEEN = frozenset({"Cc", "Cs", "Zl", "Zp"})
#: RFC 6838 section 4.2, with parameters.
_MEDIA_TYPE = re.compile(
    r"[a-z0-9][a-z0-9!#$&^_.+-]*/[a-z0-9][a-z0-9!#$&^_.+-]*(; ?[a-z0-9-]+=[A-Za-z0-9._-]+)*"
)


def clean_name(name: str) -> str:
    """A name that every file system and every header can carry; the ending is kept."""
    flat = _DIRECTIONS.sub("", unicodedata.normalize("NFC", name))
    flat = _trim("".join("_" if _is_refused(each) else each for each in flat))
    if len(flat) > LONGEST:
        stem, dot, ending = flat.rpartition(".")
        ending = dot + ending if stem and len(ending) <= 16 else ""
        flat = _trim(flat[: LONGEST - len(ending)]) + ending
    return flat or "file"


def _is_refused(character: str) -> bool:
    """Whether some system refuses it, or nobody sees it."""
    return character in '/\\:*?"<>|' or unicodedata.category(character) in _UNSEEN


def _trim(name: str) -> str:
    return re.sub(r"^[\s.]+|[\s.]+$", "", name)


def check_media_type(media_type: str) -> str:
    """
    Raises:
        ValueError: it is none, so that no header can be broken with it.
    """
    if not _MEDIA_TYPE.fullmatch(media_type):
        raise ValueError(f"not a media type: {media_type!r}")
    return media_type


def content_disposition(name: str) -> str:
    """`attachment` with the name for every client (RFC 6266, RFC 8187)."""
    stem, dot, ending = name.rpartition(".") if "." in name else (name, "", "")
    plain = (_plain(stem) or "file") + dot + _plain(ending)
    exact = quote(name, safe="!#$&+-.^_`|~")
    return f"attachment; filename=\"{plain}\"; filename*=UTF-8''{exact}"


def _plain(text: str) -> str:
    """What old clients get: ASCII, and no percent sign, which some take for an escape."""
    letters = unicodedata.normalize("NFKD", text).encode("ascii", "ignore").decode()
    return _trim(re.sub(r'["\\%]|[^ -~]', "_", letters))
