"""The process that sets one PDF and ends. Run by its path, so that it loads nothing of ours.

typst keeps what it has ever set in memory, has no time limit, and aborts the process that runs out
of memory (measured, see docs/decisions/0019). All of that may happen to this process.

Its one argument is JSON: `root` (folder with the template and what it reads), `main`, `output`,
`fonts` (folders), `first` and `last` (families; others of the folders go between them), `han`
(part of the name that goes first of those), `timestamp` (Unix seconds), `memory_bytes`, `cpu_s`.
It ends with 0, or with 1 after one line that says why typst would not.
"""

import json
import os
import resource
import sys
import threading
from contextlib import suppress
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from typst import PDFStandard

#: What PDF readers for blind people and archives ask for; the CSV may be attached.
STANDARDS: "list[PDFStandard]" = ["a-3a", "ua-1"]


def _end_with_parent() -> None:
    """Standard input is a pipe that the parent holds open for as long as it lives."""
    while os.read(0, 4096):
        pass
    os._exit(2)


def _limit(what: int, most: int) -> None:
    # some systems know the limit and refuse it; the parent's clock is left
    with suppress(ValueError, OSError):
        resource.setrlimit(what, (most, most))


def _families(order: dict[str, Any], found: list[str]) -> list[str]:
    """The order in which a letter is looked for."""
    known = {*order["first"], *order["last"]}
    others = [name for name in found if name not in known]
    others.sort(key=lambda name: (order["han"] not in name.split(), "Emoji" in name, name))
    return [*order["first"], *others, *order["last"]]


def main() -> int:
    order = json.loads(sys.argv[1])
    _limit(resource.RLIMIT_CORE, 0)
    _limit(resource.RLIMIT_CPU, order["cpu_s"])
    _limit(resource.RLIMIT_AS, order["memory_bytes"])
    threading.Thread(target=_end_with_parent, daemon=True).start()
    import typst  # after the limits: they hold for it too

    fonts = typst.Fonts(
        include_system_fonts=False, include_embedded_fonts=False, font_paths=order["fonts"]
    )
    packages = os.path.join(order["root"], "no-packages")
    compiler = typst.Compiler(
        root=order["root"],
        font_paths=fonts,
        ignore_system_fonts=True,
        sys_inputs={"families": json.dumps(_families(order, fonts.families()))},
        package_path=packages,
        package_cache_path=packages,
    )
    try:
        compiler.compile(
            order["main"],
            output=order["output"],
            format="pdf",
            pdf_standards=STANDARDS,
            timestamp=order["timestamp"],
        )
    except typst.TypstError as error:
        print(str(error)[:2000], flush=True)  # noqa: T201 - to the parent
        return 1
    return 0


if __name__ == "__main__":
    code = main()
    sys.stdout.flush()
    # without the interpreter's tidying: what typst holds would be freed piece by piece
    os._exit(code)
