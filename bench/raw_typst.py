"""A plain table by typst, in a process of its own for typst remembers: `python -m bench.raw_typst`.

Takes the file with the rows, a JSON array of arrays of strings, and prints the seconds that it
took, without those of the interpreter's start.
"""

from __future__ import annotations

import sys
import time
from pathlib import Path

import typst

_PAGE = """
#set page(margin: 1cm)
#set text(size: 6pt)
#let rows = json("{name}")
#table(columns: {columns}, ..rows.flatten())
"""
COLUMNS = 11


def main() -> None:
    rows = Path(sys.argv[1])
    began = time.perf_counter()
    source = rows.with_suffix(".typ")
    source.write_text(_PAGE.format(name=rows.name, columns=COLUMNS))
    typst.compile(source, output=rows.with_suffix(".pdf"))
    print(time.perf_counter() - began)


if __name__ == "__main__":
    main()
