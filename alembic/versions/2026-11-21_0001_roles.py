"""The two working roles, and the owner of a transaction as row-level security sees it."""

from __future__ import annotations

from alembic import op

revision = "0001_roles"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    for role in ("wheels_app", "wheels_engine"):
        # On one machine the supervisor has made them with a login of their own; elsewhere
        # the owner's login takes them on per transaction (SET LOCAL ROLE).
        op.execute(
            f"""
            DO $$ BEGIN
                IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = '{role}') THEN
                    CREATE ROLE {role} NOLOGIN NOSUPERUSER NOBYPASSRLS NOCREATEDB NOCREATEROLE;
                    EXECUTE format('GRANT {role} TO %I', current_user);
                END IF;
            END $$
            """
        )
        op.execute(f"GRANT USAGE ON SCHEMA public TO {role}")
    # nullif: after a transaction-local set the setting is '' and not NULL
    op.execute(
        """
        CREATE FUNCTION current_user_id() RETURNS uuid LANGUAGE sql STABLE PARALLEL SAFE AS
        $$ SELECT nullif(current_setting('app.user_id', true), '')::uuid $$
        """
    )


def downgrade() -> None:
    # The roles stay: they may own logins, and other databases of the server may use them.
    op.execute("DROP FUNCTION current_user_id()")
    for role in ("wheels_app", "wheels_engine"):
        op.execute(f"REVOKE USAGE ON SCHEMA public FROM {role}")
