"""What the process that looks at an original hands back, and why it may refuse."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from typing import IO, Any


@dataclass
class Refused(Exception):
    """The original is not taken.

    Attributes:
        code: UPPER_SNAKE error code.
        detail: one sentence for a person.
    """

    code: str
    detail: str


def broken() -> Refused:
    return Refused("RECEIPT_BROKEN", "The file is damaged or cut off.")


@dataclass(frozen=True)
class Limits:
    """What an original may be.

    Attributes:
        pixels: width times height of a picture.
        pages: of a PDF.
    """

    pixels: int
    pages: int


@dataclass(frozen=True)
class Product:
    """A file that was made of the original.

    Attributes:
        role: `file`, `thumbnail`, or `page`.
        number: of the page, from 1; 0 for what there is one of.
    """

    role: str
    number: int
    media_type: str
    content: bytes


@dataclass(frozen=True)
class Taken:
    """All that was made of it.

    Attributes:
        traces: see `traces`.
    """

    pages: int
    products: list[Product]
    traces: dict[str, Any] = field(default_factory=dict)


def write(output: IO[bytes], taken: Taken | Refused) -> None:
    """One line of JSON, then the bytes of the products one after the other."""
    if isinstance(taken, Refused):
        output.write(json.dumps({"refused": asdict(taken)}).encode())
        return
    products = [
        {"role": p.role, "number": p.number, "media_type": p.media_type, "size": len(p.content)}
        for p in taken.products
    ]
    head = {"pages": taken.pages, "traces": taken.traces, "products": products}
    output.write(json.dumps(head).encode() + b"\n")
    for product in taken.products:
        output.write(product.content)


def read(output: IO[bytes]) -> Taken:
    """
    Raises:
        Refused
    """
    head = json.loads(output.readline())
    if "refused" in head:
        raise Refused(**head["refused"])
    return Taken(head["pages"], list(_products(output, head["products"])), head["traces"])


def _products(output: IO[bytes], heads: list[dict[str, Any]]) -> Iterator[Product]:
    for head in heads:
        size = head.pop("size")
        yield Product(**head, content=output.read(size))
