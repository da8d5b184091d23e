"""`python -m local.admin EMAIL`: makes the owner of an account an admin, or no longer one."""

from __future__ import annotations

import argparse
import json
import os
import re
import sys
from collections.abc import Mapping
from pathlib import Path

import psycopg
from dotenv import dotenv_values

from core.ids import new_id
from local.ports import HOST
from local.postgres import DATABASE, OWNER

ROOT = Path(__file__).parent.parent

# by nobody's hand but the machine's owner: no admin's id stands for that
NOBODY = "00000000-0000-0000-0000-000000000000"

_SET_ROLE = """
WITH changed AS (
    UPDATE users SET role = %(role)s, updated_at = now() WHERE email = %(email)s RETURNING id
), recorded AS (
    INSERT INTO admin_actions (id, admin_id, action, target, details)
    SELECT %(action)s, %(nobody)s, 'role.set', id::text,
           jsonb_build_object('role', %(role)s::text)
    FROM changed
)
SELECT id FROM changed
"""


class NoDatabase(Exception):
    """No address is set, and no stack has run here."""


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m local.admin", description=__doc__)
    parser.add_argument("email", help="of an account that exists")
    parser.add_argument("--remove", action="store_true", help="make it an ordinary account again")
    arguments = parser.parse_args()
    file = {name: value or "" for name, value in dotenv_values(ROOT / ".env").items()}
    role = "user" if arguments.remove else "admin"
    try:
        found = set_role(owner_address({**file, **os.environ}), arguments.email, role)
    except (NoDatabase, psycopg.OperationalError) as error:
        print(f"wheels: {error}", file=sys.stderr)
        return 2
    if not found:
        print(f"wheels: there is no account {arguments.email}", file=sys.stderr)
        return 1
    print(f"{arguments.email} has the role {role}; it counts from the next request on.")
    return 0


def owner_address(env: Mapping[str, str]) -> str:
    """The database as its owner reaches it: the one that is set, else that of `make run`.

    Raises:
        NoDatabase
    """
    url = env.get("DIRECT_DATABASE_URL") or env.get("DATABASE_URL")
    if url:
        return re.sub(r"^postgres(ql)?(\+\w+)?://", "postgresql://", url)
    folder = ROOT / (env.get("DATA_DIR") or ".local")
    try:
        password = json.loads((folder / "secrets.json").read_text())[OWNER]
        port = json.loads((folder / "ports.json").read_text())["postgres"]
    except (OSError, ValueError, KeyError) as error:
        raise NoDatabase(f"set DATABASE_URL, or start the stack first ({folder})") from error
    return f"postgresql://{OWNER}:{password}@{HOST}:{port}/{DATABASE}"


def set_role(address: str, email: str, role: str) -> bool:
    """Whether there is such an account; the change is recorded with it.

    Args:
        role: ``admin`` or ``user``.
    """
    values = {"role": role, "email": email.strip().lower(), "nobody": NOBODY, "action": new_id()}
    with psycopg.connect(address, connect_timeout=5) as connection:
        return connection.execute(_SET_ROLE, values).fetchone() is not None


if __name__ == "__main__":
    sys.exit(main())
