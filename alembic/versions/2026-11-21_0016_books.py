"""The books: expenses, incomes, categories, budgets, settings, and rates of exchange."""

from __future__ import annotations

from alembic import op

revision = "0016_books"
down_revision = "0015_rank"
branch_labels = None
depends_on = None

EXPENSES = """
CREATE TABLE expenses (
    id uuid CONSTRAINT pk_expenses PRIMARY KEY,
    owner_id uuid NOT NULL CONSTRAINT fk_expenses_owner_id REFERENCES users (id) ON DELETE CASCADE,
    trip_id uuid,
    amount numeric(19, 4) NOT NULL,
    currency text NOT NULL,
    exponent integer NOT NULL,
    category text NOT NULL,
    spent_on date NOT NULL,
    days integer NOT NULL DEFAULT 1,
    spent_at timestamptz,
    zone text,
    description text NOT NULL DEFAULT '',
    vendor text NOT NULL DEFAULT '',
    note text NOT NULL DEFAULT '',
    payment_method text,
    tags text[] NOT NULL DEFAULT '{}',
    place jsonb,
    travellers jsonb NOT NULL DEFAULT '[]',
    exchange jsonb,
    base_currency text,
    base_exponent integer,
    base_amount numeric(19, 4),
    fx_rate numeric(20, 10),
    fx_date date,
    fx_source text,
    version integer NOT NULL DEFAULT 1,
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now(),
    deleted_at timestamptz,
    CONSTRAINT fk_expenses_trip_id_owner_id FOREIGN KEY (trip_id, owner_id)
        REFERENCES trips (id, owner_id) DEFERRABLE INITIALLY DEFERRED,
    CONSTRAINT ck_expenses_currency CHECK (currency ~ '^[A-Z]{3}$'),
    CONSTRAINT ck_expenses_exponent
        CHECK (exponent BETWEEN 0 AND 4 AND amount = round(amount, exponent)),
    CONSTRAINT ck_expenses_days CHECK (days BETWEEN 1 AND 366),
    CONSTRAINT ck_expenses_version CHECK (version >= 1),
    CONSTRAINT ck_expenses_converted CHECK (
        num_nulls(base_currency, base_exponent, base_amount, fx_rate, fx_date, fx_source)
        IN (0, 6)),
    CONSTRAINT ck_expenses_fx_source CHECK (fx_source IN ('same', 'user', 'reference'))
);
CREATE INDEX ix_expenses_owner ON expenses (owner_id, id DESC);
CREATE INDEX ix_expenses_spent ON expenses (owner_id, spent_on, id) WHERE deleted_at IS NULL;
CREATE INDEX ix_expenses_trip ON expenses (trip_id, spent_on)
    WHERE trip_id IS NOT NULL AND deleted_at IS NULL
"""

INCOMES = """
CREATE TABLE incomes (
    id uuid CONSTRAINT pk_incomes PRIMARY KEY,
    owner_id uuid NOT NULL CONSTRAINT fk_incomes_owner_id REFERENCES users (id) ON DELETE CASCADE,
    trip_id uuid,
    amount numeric(19, 4) NOT NULL,
    currency text NOT NULL,
    exponent integer NOT NULL,
    category text NOT NULL,
    received_on date NOT NULL,
    source text NOT NULL DEFAULT '',
    description text NOT NULL DEFAULT '',
    note text NOT NULL DEFAULT '',
    tags text[] NOT NULL DEFAULT '{}',
    exchange jsonb,
    base_currency text,
    base_exponent integer,
    base_amount numeric(19, 4),
    fx_rate numeric(20, 10),
    fx_date date,
    fx_source text,
    version integer NOT NULL DEFAULT 1,
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now(),
    deleted_at timestamptz,
    CONSTRAINT fk_incomes_trip_id_owner_id FOREIGN KEY (trip_id, owner_id)
        REFERENCES trips (id, owner_id) DEFERRABLE INITIALLY DEFERRED,
    CONSTRAINT ck_incomes_currency CHECK (currency ~ '^[A-Z]{3}$'),
    CONSTRAINT ck_incomes_exponent
        CHECK (exponent BETWEEN 0 AND 4 AND amount = round(amount, exponent)),
    CONSTRAINT ck_incomes_version CHECK (version >= 1),
    CONSTRAINT ck_incomes_converted CHECK (
        num_nulls(base_currency, base_exponent, base_amount, fx_rate, fx_date, fx_source)
        IN (0, 6)),
    CONSTRAINT ck_incomes_fx_source CHECK (fx_source IN ('same', 'user', 'reference'))
);
CREATE INDEX ix_incomes_owner ON incomes (owner_id, id DESC);
CREATE INDEX ix_incomes_received ON incomes (owner_id, received_on, id) WHERE deleted_at IS NULL;

CREATE TABLE categories (
    id uuid CONSTRAINT pk_categories PRIMARY KEY,
    owner_id uuid NOT NULL
        CONSTRAINT fk_categories_owner_id REFERENCES users (id) ON DELETE CASCADE,
    side text NOT NULL,
    key text NOT NULL,
    name text NOT NULL,
    version integer NOT NULL DEFAULT 1,
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now(),
    deleted_at timestamptz,
    CONSTRAINT uq_categories_owner_id_side_key UNIQUE (owner_id, side, key),
    CONSTRAINT ck_categories_side CHECK (side IN ('expense', 'income'))
)
"""

BUDGETS = """
CREATE INDEX ix_expenses_spread ON expenses (owner_id, spent_on)
    WHERE days > 1 AND deleted_at IS NULL;

CREATE TABLE budgets (
    id uuid CONSTRAINT pk_budgets PRIMARY KEY,
    owner_id uuid NOT NULL CONSTRAINT fk_budgets_owner_id REFERENCES users (id) ON DELETE CASCADE,
    trip_id uuid,
    name text NOT NULL DEFAULT '',
    category text,
    period text NOT NULL,
    amount numeric(19, 4) NOT NULL,
    currency text NOT NULL,
    alert_percent integer NOT NULL DEFAULT 80,
    version integer NOT NULL DEFAULT 1,
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now(),
    deleted_at timestamptz,
    CONSTRAINT fk_budgets_trip_id_owner_id FOREIGN KEY (trip_id, owner_id)
        REFERENCES trips (id, owner_id) DEFERRABLE INITIALLY DEFERRED,
    CONSTRAINT ck_budgets_currency CHECK (currency ~ '^[A-Z]{3}$'),
    CONSTRAINT ck_budgets_amount CHECK (amount > 0),
    CONSTRAINT ck_budgets_alert_percent CHECK (alert_percent BETWEEN 1 AND 100),
    CONSTRAINT ck_budgets_period
        CHECK (period = 'month' OR (period = 'trip' AND trip_id IS NOT NULL)),
    CONSTRAINT ck_budgets_version CHECK (version >= 1)
);
CREATE INDEX ix_budgets_owner ON budgets (owner_id, id DESC);
"""

# What core.money.allocate gives to equal shares: each of the first ones has a unit more.
SHARES = """
CREATE FUNCTION share_of_days(amount numeric, exponent integer, days integer,
                              lo integer, hi integer) RETURNS numeric
LANGUAGE sql IMMUTABLE PARALLEL SAFE RETURN CASE WHEN days = 1 THEN amount * (hi - lo) ELSE
    sign(amount) * (div(abs(amount) * 10::numeric ^ exponent, days) * (hi - lo)
        + least(hi, mod(abs(amount) * 10::numeric ^ exponent, days))
        - least(lo, mod(abs(amount) * 10::numeric ^ exponent, days))) / 10::numeric ^ exponent
END;

-- The expenses of an owner with what of them falls on the days from the first, before the end.
CREATE FUNCTION expense_shares(owner uuid, first date, before date)
RETURNS TABLE (category text, trip_id uuid, currency text, amount numeric,
               base_currency text, base_amount numeric)
LANGUAGE sql STABLE PARALLEL SAFE AS $$
    SELECT e.category, e.trip_id, e.currency, e.amount, e.base_currency, e.base_amount
    FROM expenses e
    WHERE e.owner_id = $1 AND e.deleted_at IS NULL AND e.days = 1
        AND e.spent_on >= $2 AND e.spent_on < $3
    UNION ALL
    SELECT e.category, e.trip_id, e.currency,
        share_of_days(e.amount, e.exponent, e.days,
                      greatest($2 - e.spent_on, 0), least($3 - e.spent_on, e.days)),
        e.base_currency,
        share_of_days(e.base_amount, e.base_exponent, e.days,
                      greatest($2 - e.spent_on, 0), least($3 - e.spent_on, e.days))
    FROM expenses e
    WHERE e.owner_id = $1 AND e.deleted_at IS NULL AND e.days > 1
        AND e.spent_on < $3 AND e.spent_on > $2 - 366 AND e.spent_on + e.days > $2
$$
"""

RATES = """
CREATE TABLE finance_settings (
    owner_id uuid CONSTRAINT pk_finance_settings PRIMARY KEY
        CONSTRAINT fk_finance_settings_owner_id REFERENCES users (id) ON DELETE CASCADE,
    currency text,
    zone text NOT NULL DEFAULT 'UTC',
    version integer NOT NULL DEFAULT 1,
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT ck_finance_settings_currency CHECK (currency ~ '^[A-Z]{3}$')
);

CREATE TABLE fx_rates (
    currency text,
    day date,
    per_euro numeric(20, 10) NOT NULL,
    CONSTRAINT pk_fx_rates PRIMARY KEY (currency, day),
    CONSTRAINT ck_fx_rates_per_euro CHECK (per_euro > 0)
);
-- public knowledge: nobody owns it, and only the owner of the tables adds to it
GRANT SELECT ON fx_rates TO wheels_app
"""

OWNED = ("expenses", "incomes", "categories", "budgets", "finance_settings")


def _run(script: str) -> None:
    """Run a script whole: the driver takes it as it is when nothing is bound."""
    with op.get_bind().connection.cursor() as cursor:
        cursor.execute(script)


def upgrade() -> None:
    _run(EXPENSES)
    _run(INCOMES)
    _run(BUDGETS)
    _run(SHARES)
    _run(RATES)
    # the subselect is evaluated once per statement, not once per row
    mine = "(owner_id = (SELECT current_user_id()))"
    for table in OWNED:
        _run(f"ALTER TABLE {table} ENABLE ROW LEVEL SECURITY")
        _run(f"ALTER TABLE {table} FORCE ROW LEVEL SECURITY")
        _run(f"CREATE POLICY owner ON {table} TO wheels_app USING {mine} WITH CHECK {mine}")
        # deleting is an update, and the engine role has no business here
        _run(f"GRANT SELECT, INSERT, UPDATE ON {table} TO wheels_app")


def downgrade() -> None:
    _run("DROP FUNCTION expense_shares; DROP FUNCTION share_of_days")
    _run(f"DROP TABLE {', '.join(OWNED)}, fx_rates")
