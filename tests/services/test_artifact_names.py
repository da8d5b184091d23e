"""Names of artifacts, which engines may take from what users wrote."""

from __future__ import annotations

from email.message import Message

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.artifacts.names import LONGEST, clean_name, content_disposition


def understood(header: str) -> str:
    """The file name that the standard library reads from the header."""
    message = Message()
    message["Content-Disposition"] = header
    found = message.get_filename()
    assert found is not None
    return found


class TestCleanName:
    @pytest.mark.parametrize(
        ("given_name", "kept"),
        [
            ("report.pdf", "report.pdf"),
            ("Fahrt nach Köln – März.pdf", "Fahrt nach Köln – März.pdf"),
            ("../../etc/passwd", "_.._etc_passwd"),
            ("C:\\temp\\a.csv", "C__temp_a.csv"),
            ('a"b;c\r\nX: 1.txt', "a_b;c__X_ 1.txt"),
            ("photo\u202egpj.exe", "photogpj.exe"),
            ("nul\x00l", "nul_l"),
            ("日本の旅 🚐.xlsx", "日本の旅 🚐.xlsx"),
            ("...", "file"),
            ("", "file"),
        ],
    )
    def test_keeps_what_is_a_name(self, given_name: str, kept: str) -> None:
        assert clean_name(given_name) == kept

    def test_shortens_and_keeps_the_ending(self) -> None:
        assert clean_name("x" * 500 + ".pdf") == "x" * (LONGEST - 4) + ".pdf"
        assert len(clean_name("y" * 500)) == LONGEST

    @given(st.text())
    def test_of_a_clean_name_is_the_same(self, text: str) -> None:
        once = clean_name(text)
        assert clean_name(once) == once
        assert 0 < len(once) <= LONGEST


class TestContentDisposition:
    @given(st.text())
    def test_carries_any_name_whole_and_in_one_line(self, text: str) -> None:
        name = clean_name(text)
        header = content_disposition(name)
        assert header.isascii()
        assert header.isprintable()
        assert header.startswith("attachment; filename=")
        exact = header.rpartition("; ")[2]
        assert understood(f"attachment; {exact}") == name

    def test_has_a_name_for_old_clients(self) -> None:
        header = content_disposition("Köln.pdf")
        assert header == "attachment; filename=\"Koln.pdf\"; filename*=UTF-8''K%C3%B6ln.pdf"
        assert 'filename="file.xlsx"' in content_disposition("日本.xlsx")
