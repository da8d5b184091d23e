"""Large books for the benchmarks of reports: the same on every machine."""

from __future__ import annotations

from typing import Any
from uuid import UUID

# Five currencies, twelve categories, notes that a spreadsheet would compute, every seventh with
# emoji; five years of days. All amounts are frozen at a made-up rate, but those of one currency.
_FILL = """
INSERT INTO expenses (id, owner_id, amount, currency, exponent, category, spent_on, days,
    description, vendor, note, payment_method, tags,
    base_currency, base_exponent, base_amount, fx_rate, fx_date, fx_source)
SELECT gen_random_uuid(), %(owner)s, amount, currency, exponent, category, day,
    CASE WHEN n %% 100 = 0 THEN 7 ELSE 1 END,
    'Entry ' || n, vendor, CASE WHEN n %% 50 = 0 THEN '=HYPERLINK("http://x")' ELSE 'note' END,
    'card', ARRAY['tag' || n %% 5],
    base, base_exponent, CASE WHEN base IS NOT NULL THEN round(amount * rate, 2) END,
    CASE WHEN base IS NOT NULL THEN rate END, CASE WHEN base IS NOT NULL THEN day END,
    CASE WHEN base IS NOT NULL THEN source END
FROM (
    SELECT n, (ARRAY['AUD','AUD','AUD','USD','NZD','EUR','XPF'])[1 + n %% 7] AS currency,
        CASE WHEN n %% 7 = 6 THEN 0 ELSE 2 END AS exponent,
        round((n * 7919 %% 50000)::numeric / 100 + 1, CASE WHEN n %% 7 = 6 THEN 0 ELSE 2 END)
            AS amount,
        (ARRAY['fuel','camping','groceries','dining','maintenance','tolls','parking','ferry',
            'insurance','health','laundry','other'])[1 + n %% 12] AS category,
        date '2021-01-01' + n %% 1826 AS day,
        (ARRAY['BP','富士見','مقهى الصحراء','Café 👍','Caltex','Coles','Shell'])[1 + n %% 7]
            AS vendor,
        CASE WHEN n %% 7 <> 6 THEN 'AUD' END AS base, CASE WHEN n %% 7 <> 6 THEN 2 END
            AS base_exponent,
        CASE WHEN n %% 7 < 3 THEN 1 ELSE 1.25 END AS rate,
        CASE WHEN n %% 7 < 3 THEN 'same' ELSE 'reference' END AS source
    FROM generate_series(1, %(rows)s) AS n) AS made
"""
PERIOD = {"from": "2021-01-01", "to": "2026-01-01"}


def fill(sql: Any, owner: UUID, rows: int) -> None:
    """Give an owner so many expenses of the years 2021 to 2025."""
    sql.execute(_FILL, {"owner": owner, "rows": rows})
    sql.execute(
        "INSERT INTO finance_settings (owner_id, currency) VALUES (%s, 'AUD')"
        " ON CONFLICT DO NOTHING",
        (owner,),
    )
    sql.execute("ANALYZE expenses")
