"""Receipts and their files, which the sweep of artifacts looks after as well."""

from __future__ import annotations

from alembic import op

revision = "0019_receipts"
down_revision = "0017_vehicles"
branch_labels = None
depends_on = None

TABLES = """
-- a receipt belongs to an expense of the same owner
ALTER TABLE expenses ADD CONSTRAINT uq_expenses_id_owner_id UNIQUE (id, owner_id);

CREATE TABLE receipts (
    id uuid CONSTRAINT pk_receipts PRIMARY KEY,
    owner_id uuid NOT NULL CONSTRAINT fk_receipts_owner_id REFERENCES users (id) ON DELETE CASCADE,
    expense_id uuid,
    name text NOT NULL,
    job_id uuid NOT NULL,
    taken_at timestamptz,
    pages integer,
    suggested jsonb,
    reading jsonb,
    version integer NOT NULL DEFAULT 1,
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now(),
    deleted_at timestamptz,
    CONSTRAINT fk_receipts_expense_id_owner_id FOREIGN KEY (expense_id, owner_id)
        REFERENCES expenses (id, owner_id) DEFERRABLE INITIALLY DEFERRED,
    CONSTRAINT ck_receipts_version CHECK (version >= 1)
);
CREATE INDEX ix_receipts_owner ON receipts (owner_id, id DESC);
CREATE INDEX ix_receipts_expense ON receipts (expense_id) WHERE expense_id IS NOT NULL;
CREATE INDEX ix_receipts_ending ON receipts (id) WHERE deleted_at IS NOT NULL OR taken_at IS NULL;

CREATE TABLE receipt_files (
    id uuid CONSTRAINT pk_receipt_files PRIMARY KEY,
    receipt_id uuid NOT NULL CONSTRAINT fk_receipt_files_receipt_id
        REFERENCES receipts (id) ON DELETE CASCADE,
    owner_id uuid NOT NULL,
    role text NOT NULL,
    number integer NOT NULL,
    media_type text NOT NULL,
    size_bytes bigint NOT NULL,
    sha256 text NOT NULL,
    location text NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now(),
    missing_at timestamptz,
    CONSTRAINT ck_receipt_files_role CHECK (role IN ('original', 'file', 'thumbnail', 'page'))
);
CREATE UNIQUE INDEX uq_receipt_files_part ON receipt_files (receipt_id, role, number);
CREATE UNIQUE INDEX uq_receipt_files_location ON receipt_files (location text_pattern_ops);
CREATE INDEX ix_receipt_files_owner ON receipt_files (owner_id)
"""

RIGHTS = """
GRANT SELECT, INSERT, UPDATE ON receipts TO wheels_app;
GRANT SELECT, INSERT, DELETE ON receipt_files TO wheels_app;

-- the sweep: which bytes have a row, and which receipts have had their time
GRANT SELECT (location, missing_at), UPDATE (missing_at) ON receipt_files TO wheels_engine;
CREATE POLICY sweep ON receipt_files TO wheels_engine USING (true) WITH CHECK (true);
GRANT SELECT (id, job_id, taken_at, created_at, deleted_at), DELETE ON receipts TO wheels_engine;
CREATE POLICY ending ON receipts TO wheels_engine
    USING (deleted_at IS NOT NULL OR taken_at IS NULL)
"""


def _run(script: str) -> None:
    """Run a script whole: the driver takes it as it is when nothing is bound."""
    with op.get_bind().connection.cursor() as cursor:
        cursor.execute(script)


def upgrade() -> None:
    _run(TABLES)
    # the subselect is evaluated once per statement, not once per row
    mine = "(owner_id = (SELECT current_user_id()))"
    for table in ("receipts", "receipt_files"):
        _run(f"ALTER TABLE {table} ENABLE ROW LEVEL SECURITY")
        _run(f"ALTER TABLE {table} FORCE ROW LEVEL SECURITY")
        _run(f"CREATE POLICY owner ON {table} TO wheels_app USING {mine} WITH CHECK {mine}")
    _run(RIGHTS)


def downgrade() -> None:
    _run("DROP TABLE receipt_files, receipts")
    _run("ALTER TABLE expenses DROP CONSTRAINT uq_expenses_id_owner_id")
