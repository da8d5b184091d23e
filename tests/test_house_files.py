"""Tests about the files of the house: names, sizes, and what must stand in one place alone."""

from __future__ import annotations

import ast
import re
import subprocess
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import alembic
import celery
import pytest

from core.settings import Settings
from tests.stack import ROOT

PRODUCT = ("api", "core", "local", "models", "services", "tasks", "workers")


@cache
def tracked() -> list[Path]:
    """Every file of the repository that is text."""
    listed = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True)
    if listed.returncode:
        pytest.skip("not a git checkout")
    paths = [ROOT / name for name in listed.stdout.splitlines()]
    return [path for path in paths if path.is_file() and b"\0" not in path.read_bytes()[:8192]]


def product() -> Iterator[Path]:
    yield from sorted([ROOT / "celeryconfig.py", *(ROOT / "alembic").rglob("*.py")])
    for name in PRODUCT:
        yield from sorted((ROOT / name).rglob("*.py"))


def name_of(path: Path) -> str:
    return str(path.relative_to(ROOT))


class TestAlembic:
    def test_is_the_library(self) -> None:
        """A folder of ours has the same name; with an `__init__.py` it would hide the library."""
        assert not list((ROOT / "alembic").rglob("__init__.py"))
        assert alembic.__file__ is not None
        assert not Path(alembic.__file__).is_relative_to(ROOT / "alembic")
        assert Path(celery.__file__).parent.name == "celery"


WRITES_STATUS = re.compile(
    r"\bUPDATE\s+jobs\b(?:(?!\bWHERE\b|\bFROM\b)[^;])*?\bstatus\s*=|\bINTO\s+jobs\b"
    r"|\b(?:update|insert)\(\s*(?:\w+\.)?Job\b|\bjob\.status\s*=[^=]",
    re.IGNORECASE,
)


class TestTheStatusOfAJob:
    def test_is_written_by_services_jobs_alone(self) -> None:
        elsewhere = [
            f"{name_of(path)}: {found.group()}"
            for path in product()
            if not name_of(path).startswith(("services/jobs/", "alembic/"))
            for found in WRITES_STATUS.finditer(path.read_text())
        ]
        assert elsewhere == []

    @pytest.mark.parametrize(
        "text",
        [
            "UPDATE jobs SET status = 'failed' WHERE id = :id",
            "update jobs as j\n set seq = seq + 1,\n status='failed'",
            "INSERT INTO jobs (id) VALUES (1)",
            "session.execute(update(Job).values(status='failed'))",
            "job.status = Status.FAILED",
        ],
    )
    def test_would_be_found(self, text: str) -> None:
        assert WRITES_STATUS.search(text)

    def test_is_found_where_it_is_written(self) -> None:
        text = "".join(path.read_text() for path in (ROOT / "services/jobs").glob("*.py"))
        assert len(WRITES_STATUS.findall(text)) >= 8


class TestFiles:
    def test_are_short(self) -> None:
        long = {name_of(path): _lines(path) for path in product() if _lines(path) > 500}
        assert long == {}

    def test_begin_with_one_sentence(self) -> None:
        for path in product():
            doc = ast.get_docstring(ast.parse(path.read_text()))
            if path.name != "__init__.py" or path.read_text().strip():
                assert doc, name_of(path)
                assert doc.splitlines()[0].endswith((".", ":", "?", "!")), name_of(path)

    def test_are_named_for_what_they_hold(self) -> None:
        banned = {"utils", "util", "helpers", "helper", "common", "manager", "managers", "misc"}
        parts = {part for path in tracked() for part in (*path.relative_to(ROOT).parts, path.stem)}
        assert parts & banned == set()

    def test_name_no_registry(self) -> None:
        """Where packages come from is for the machine to say, not for the repository."""
        hosts = ("pypi" + ".org", "pythonhosted" + ".org", "npmjs" + ".org", "yarnpkg" + ".com")
        address = re.compile("|".join(map(re.escape, hosts)) + r"|(?<!no-emit)-index-" + "url")
        found = [name_of(path) for path in tracked() if address.search(path.read_text())]
        assert found == []

    def test_name_no_persons_folder(self) -> None:
        home = re.compile(r"/(home|Users)/(?!app\b|runner\b)\w+/|(?<![\w/])/root/")
        found = [name_of(path) for path in tracked() if home.search(path.read_text())]
        assert set(found) - {name_of(Path(__file__))} == set()


def _lines(path: Path) -> int:
    return len(path.read_text().splitlines())


class TestSettings:
    def test_are_all_in_the_example(self) -> None:
        """So that nobody has to read code to learn what can be set."""
        named = set(re.findall(r"^#?\s?([A-Z][A-Z0-9_]+)=", _example(), re.MULTILINE))
        assert {name.upper() for name in Settings.model_fields} - named == set()

    def test_in_the_example_exist(self) -> None:
        named = set(re.findall(r"^#?\s?([A-Z][A-Z0-9_]+)=", _example(), re.MULTILINE))
        read = "".join(
            path.read_text()
            for path in (ROOT / "docker-compose.yml", ROOT / "Procfile", ROOT / "local/stack.py")
        )
        known = {name.upper() for name in Settings.model_fields} | set(re.findall(r"\w+", read))
        # AWS_…: read by the client of the store itself
        assert {name for name in named - known if not name.startswith("AWS_")} == set()


def _example() -> str:
    return (ROOT / ".env.example").read_text()
