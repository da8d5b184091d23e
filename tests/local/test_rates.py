"""Reference rates: filled from the bank's own file, and never overwritten."""

from __future__ import annotations

import io
import zipfile

from local.rates import fill, filled, published, shipped
from tests.stack import Stores

TABLE = """Date,USD,JPY,ROL,CYP,
1999-01-05,1.179,130.96,N/A,0.58,
1999-01-04,1.1789,133.73,,0.58,
"""


def archive(table: str = TABLE) -> bytes:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as file:
        file.writestr("eurofxref-hist.csv", table)
    return packed.getvalue()


class TestRates:
    def test_are_those_that_were_published(self) -> None:
        assert list(published(archive())) == [
            ("USD", "1999-01-05", "1.179"),
            ("JPY", "1999-01-05", "130.96"),
            ("USD", "1999-01-04", "1.1789"),
            ("JPY", "1999-01-04", "133.73"),
        ]

    def test_of_the_bank_are_there_after_the_first_start(self, stores: Stores) -> None:
        address = stores.env()["DATABASE_URL"]
        try:
            assert not filled(address)
            assert fill(address, shipped()) > 190_000
            assert filled(address)
            query = "SELECT per_euro FROM fx_rates WHERE currency = 'AUD' AND day = '2020-03-19'"
            assert str(stores.one(query)) == "1.8635000000"
        finally:
            with stores.sql() as sql:
                sql.execute("DELETE FROM fx_rates")

    def test_are_added_once(self, stores: Stores) -> None:
        address = stores.env()["DATABASE_URL"]
        try:
            assert fill(address, archive()) == 4
            other = archive(TABLE.replace("1.179,", "9,").replace("1999-01-04", "1999-01-06"))
            assert fill(address, other) == 2
            query = "SELECT per_euro FROM fx_rates WHERE currency = 'USD' AND day = '1999-01-05'"
            assert str(stores.one(query)) == "1.1790000000"
        finally:
            with stores.sql() as sql:
                sql.execute("DELETE FROM fx_rates")
