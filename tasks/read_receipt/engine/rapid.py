"""Reading print with RapidOCR, whose models are part of its wheel: nothing is ever fetched."""

from __future__ import annotations

from functools import cache
from io import BytesIO
from typing import Any

from tasks.read_receipt.engine.lines import Piece, Reader

NAME = "rapidocr"


class NotInstalled(Exception):
    """The extra `ocr` is not installed here."""


@cache
def rapid_reader() -> Reader:
    """The reader, loaded once in the life of a process: a second, and about 300 MB.

    Raises:
        NotInstalled
    """
    try:
        from rapidocr import RapidOCR
    except ImportError as error:
        raise NotInstalled from error
    # one thread: the lane has a process for each core
    threads = {"intra_op_num_threads": 1, "inter_op_num_threads": 1}
    settings = {f"EngineConfig.onnxruntime.{name}": most for name, most in threads.items()}
    model = RapidOCR(params={"Global.log_level": "error", **settings})

    def read(picture: bytes) -> list[Piece]:
        return _read(model, picture)

    return read


def _read(model: Any, picture: bytes) -> list[Piece]:
    import numpy as np
    from PIL import Image

    # ours, so nothing about it is to be feared; the model expects the channels of OpenCV
    pixels = np.asarray(Image.open(BytesIO(picture), formats=("JPEG",)).convert("RGB"))
    found = model(np.ascontiguousarray(pixels[:, :, ::-1]))
    if found.txts is None:
        return []
    pieces = []
    for text, score, box in zip(found.txts, found.scores, found.boxes, strict=True):
        heights = [float(corner[1]) for corner in box]
        top, bottom = min(heights), max(heights)
        left = min(float(corner[0]) for corner in box)
        pieces.append(Piece(text, float(score), left, top, max(bottom - top, 1.0)))
    return pieces
