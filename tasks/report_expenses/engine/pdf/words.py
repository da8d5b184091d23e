"""The words of a report in the languages that we have: catalogues of gettext, read at first use.

English is what stands in the code. `mark` names a word that is looked up later, so that the test
of the catalogues finds it.
"""

from __future__ import annotations

from functools import cache
from io import BytesIO
from pathlib import Path

from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po
from babel.support import NullTranslations, Translations

FOLDER = Path(__file__).parent / "catalogues"
#: Languages with a catalogue beside English.
LANGUAGES = ("de", "es", "fr")


def mark(word: str) -> str:
    """The word itself, which `Words.say` gets from a variable."""
    return word


class Words:
    """The words of one language."""

    def __init__(self, language: str) -> None:
        """
        Args:
            language: ISO 639; English where we have none of it.
        """
        self.language = language if language in LANGUAGES else "en"
        self._catalogue = _catalogue(self.language)

    def say(self, message: str, /, **values: object) -> str:
        """A message with its values: `say("{n} days", n=3)`."""
        said: str = self._catalogue.gettext(message)
        return said.format(**values) if values else said

    def count(self, one: str, many: str, n: int, /, **values: object) -> str:
        """The form of a message for a number of things."""
        said: str = self._catalogue.ngettext(one, many, n)
        return said.format(**values)


@cache
def _catalogue(language: str) -> NullTranslations:
    if language not in LANGUAGES:
        return NullTranslations()
    with (FOLDER / f"{language}.po").open("rb") as file:
        catalogue = read_po(file, locale=language)
    compiled = BytesIO()
    write_mo(compiled, catalogue)
    compiled.seek(0)
    return Translations(compiled)
