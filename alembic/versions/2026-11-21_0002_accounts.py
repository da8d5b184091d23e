"""Accounts, sign-ins and refresh tokens, and the two doors through which a stranger comes in."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0002_accounts"
down_revision = "0001_roles"
branch_labels = None
depends_on = None

TIME = sa.DateTime(timezone=True)
NOW = sa.text("now()")

OWNER_COLUMN = {"users": "id", "sessions": "user_id", "refresh_tokens": "user_id"}

# What a request may do with its own rows. Nobody reads a password hash through a table, and
# used refresh tokens are only ever touched by the function below.
GRANTS = {
    "users": "SELECT (id, email, display_name, role, created_at, updated_at),"
    " INSERT (id, email, display_name, password_hash),"
    " UPDATE (display_name, password_hash, updated_at)",
    "sessions": "SELECT, INSERT, UPDATE (revoked_at), DELETE",
    "refresh_tokens": "INSERT",
}

# SECURITY DEFINER: nobody is signed in yet, so no row is visible to the one who asks.
# The search path is fixed, or the caller could put a table of its own in front.
FUNCTIONS = """
CREATE FUNCTION find_sign_in(address text) RETURNS TABLE (user_id uuid, password_hash text)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp AS $$
    SELECT u.id, u.password_hash FROM users u WHERE u.email = address
$$;

CREATE FUNCTION rotate_refresh_token(
    presented bytea, following bytea, at timestamptz, idle interval, grace interval
) RETURNS TABLE (outcome text, owner_id uuid, family_id uuid)
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp AS $$
DECLARE
    token refresh_tokens;
    alive boolean;
BEGIN
    -- of two who come with the same token, one gets the row and the other waits and finds it used
    UPDATE refresh_tokens t SET used_at = at, successor = following FROM sessions s
    WHERE t.hash = presented AND t.used_at IS NULL AND t.expires_at > at
        AND s.id = t.session_id AND s.revoked_at IS NULL AND s.expires_at > at
    RETURNING t.* INTO token;
    IF FOUND THEN
        UPDATE sessions s SET last_used_at = at WHERE s.id = token.session_id;
        INSERT INTO refresh_tokens (hash, session_id, user_id, expires_at)
        SELECT following, s.id, s.user_id, least(at + idle, s.expires_at)
        FROM sessions s WHERE s.id = token.session_id;
        RETURN QUERY SELECT 'rotated', token.user_id, token.session_id;
        RETURN;
    END IF;
    SELECT * INTO token FROM refresh_tokens t WHERE t.hash = presented;
    IF NOT FOUND OR token.used_at IS NULL THEN
        RETURN QUERY SELECT 'refused', token.user_id, token.session_id;
        RETURN;
    END IF;
    -- the answer was lost: its successor is the one we would give, and nobody has it in use yet
    SELECT true INTO alive FROM sessions s JOIN refresh_tokens n ON n.session_id = s.id
    WHERE s.id = token.session_id AND s.revoked_at IS NULL AND s.expires_at > at
        AND n.hash = token.successor AND n.hash = following AND n.used_at IS NULL
        AND at <= token.used_at + grace;
    IF alive THEN
        RETURN QUERY SELECT 'repeated', token.user_id, token.session_id;
        RETURN;
    END IF;
    UPDATE sessions s SET revoked_at = coalesce(s.revoked_at, at) WHERE s.id = token.session_id;
    RETURN QUERY SELECT 'reused', token.user_id, token.session_id;
END
$$;
"""
SIGNATURES = (
    "find_sign_in(text)",
    "rotate_refresh_token(bytea, bytea, timestamptz, interval, interval)",
)


def upgrade() -> None:
    _create_tables()
    for table, column in OWNER_COLUMN.items():
        op.execute(f"ALTER TABLE {table} ENABLE ROW LEVEL SECURITY")
        op.execute(f"ALTER TABLE {table} FORCE ROW LEVEL SECURITY")
        op.execute(
            f"CREATE POLICY {table}_of_user ON {table} TO wheels_app"
            f" USING ({column} = current_user_id()) WITH CHECK ({column} = current_user_id())"
        )
        # FORCE binds the owner too, and the functions below, like foreign keys, act as the owner
        op.execute(f"CREATE POLICY {table}_of_owner ON {table} TO CURRENT_USER USING (true)")
        op.execute(f"REVOKE ALL ON {table} FROM PUBLIC")
        op.execute(f"GRANT {GRANTS[table]} ON {table} TO wheels_app")
    op.execute(FUNCTIONS)
    for signature in SIGNATURES:
        op.execute(f"REVOKE ALL ON FUNCTION {signature} FROM PUBLIC")
        op.execute(f"GRANT EXECUTE ON FUNCTION {signature} TO wheels_app")
    # readiness compares this with the code
    op.execute("GRANT SELECT ON alembic_version TO wheels_app")


def _create_tables() -> None:
    op.create_table(
        "users",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("email", sa.String(254), nullable=False),
        sa.Column("display_name", sa.String(100), nullable=True),
        sa.Column("password_hash", sa.String(255), nullable=True),
        sa.Column("role", sa.String(16), nullable=False, server_default="user"),
        sa.Column("created_at", TIME, nullable=False, server_default=NOW),
        sa.Column("updated_at", TIME, nullable=False, server_default=NOW),
        sa.PrimaryKeyConstraint("id", name="pk_users"),
        sa.UniqueConstraint("email", name="uq_users_email"),
        sa.CheckConstraint("role IN ('user', 'admin')", name=op.f("ck_users_role")),
    )
    op.create_table(
        "sessions",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("user_id", sa.Uuid(), nullable=False),
        sa.Column("user_agent", sa.String(200), nullable=True),
        sa.Column("created_at", TIME, nullable=False, server_default=NOW),
        sa.Column("last_used_at", TIME, nullable=False, server_default=NOW),
        sa.Column("expires_at", TIME, nullable=False),
        sa.Column("revoked_at", TIME, nullable=True),
        sa.PrimaryKeyConstraint("id", name="pk_sessions"),
        sa.ForeignKeyConstraint(
            ["user_id"], ["users.id"], name="fk_sessions_user_id", ondelete="CASCADE"
        ),
    )
    op.create_index("ix_sessions_user_id", "sessions", ["user_id"])
    op.create_table(
        "refresh_tokens",
        sa.Column("hash", sa.LargeBinary(), nullable=False),
        sa.Column("session_id", sa.Uuid(), nullable=False),
        sa.Column("user_id", sa.Uuid(), nullable=False),
        sa.Column("successor", sa.LargeBinary(), nullable=True),
        sa.Column("expires_at", TIME, nullable=False),
        sa.Column("used_at", TIME, nullable=True),
        sa.PrimaryKeyConstraint("hash", name="pk_refresh_tokens"),
        sa.ForeignKeyConstraint(
            ["session_id"],
            ["sessions.id"],
            name="fk_refresh_tokens_session_id",
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(
            ["user_id"], ["users.id"], name="fk_refresh_tokens_user_id", ondelete="CASCADE"
        ),
    )
    op.create_index("ix_refresh_tokens_session_id", "refresh_tokens", ["session_id"])
    op.create_index("ix_refresh_tokens_user_id", "refresh_tokens", ["user_id"])


def downgrade() -> None:
    op.execute("REVOKE SELECT ON alembic_version FROM wheels_app")
    for signature in SIGNATURES:
        op.execute(f"DROP FUNCTION {signature}")
    for table in reversed(OWNER_COLUMN):
        op.drop_table(table)
