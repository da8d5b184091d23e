"""Reading pictures with the real reader, and an installation without one."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from decimal import Decimal

import pytest

from core.kind import JobFailed
from tasks.read_receipt.contract import ReadRequest
from tasks.read_receipt.engine.rapid import NAME, rapid_reader
from tasks.read_receipt.engine.reading import read_pages
from tasks.read_receipt.wiring import reader_here
from tests.receipts import drawn as picture
from tests.receipts import encoded
from tests.tasks.plan_route.asking import FakeRun
from tests.tasks.read_receipt.drawing import TODAY, drawn


class TestTheReader:
    def test_reads_clean_receipts_of_four_countries(self) -> None:
        """All 30 of the generator were measured once (docs/decisions/0020-receipts.md)."""
        pytest.importorskip("rapidocr")
        totals = days = 0
        for seed in range(6):
            truth, run = drawn(seed), FakeRun()
            request = ReadRequest(receipt_id=run.owner_id, country=truth.country)
            pages = [truth.picture()]
            found = read_pages(
                request, pages, run=run, reader=rapid_reader(), engine=NAME, today=TODAY
            )
            totals += found.total is not None and Decimal(found.total.value) == truth.total
            days += found.date is not None and found.date.value == truth.day.isoformat()
            assert [report.stage for report in run.reports] == ["reading"]
        assert min(totals, days) >= 5

    def test_finds_nothing_where_nothing_is_printed(self) -> None:
        pytest.importorskip("rapidocr")
        run = FakeRun()
        found = read_pages(
            ReadRequest(receipt_id=run.owner_id),
            [encoded(picture())],
            run=run,
            reader=rapid_reader(),
            engine=NAME,
            today=TODAY,
        )
        assert (found.total, found.currency, found.date, found.pages) == (None, None, None, 1)


@pytest.fixture
def without_the_extra(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setitem(sys.modules, "rapidocr", None)
    rapid_reader.cache_clear()
    yield
    rapid_reader.cache_clear()


class TestAnInstallationWithoutTheExtra:
    @pytest.mark.usefixtures("without_the_extra")
    def test_says_so(self) -> None:
        with pytest.raises(JobFailed) as failed:
            reader_here()
        assert (failed.value.code, failed.value.retryable) == ("OCR_NOT_INSTALLED", False)
