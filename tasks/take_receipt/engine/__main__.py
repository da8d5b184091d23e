"""The process that looks at an original: `… MEDIA_TYPE LIMITS`, the bytes on standard input."""

from __future__ import annotations

import json
import sys

from tasks.take_receipt.engine.looking import look
from tasks.take_receipt.engine.product import Limits, Refused, write


def main() -> None:
    media_type, limits = sys.argv[1:]
    content = sys.stdin.buffer.read()
    try:
        taken = look(content, media_type, Limits(**json.loads(limits)))
    except Refused as refused:
        write(sys.stdout.buffer, refused)
    else:
        write(sys.stdout.buffer, taken)


if __name__ == "__main__":
    main()
