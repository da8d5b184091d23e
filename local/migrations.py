"""Proves on a throwaway database that the migrations run up, down and up, and match the models.

`python -m local.migrations`; and knows, without loading Alembic, whether there is any to run.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path

import psycopg

from local.postgres import APP, ENGINE, OWNER, Postgres

ROOT = Path(__file__).parent.parent
COURSE = (["upgrade", "head"], ["downgrade", "base"], ["upgrade", "head"], ["check"])


REVISION = re.compile(r"""^(down_)?revision\b[^=]*=\s*["']([^"']+)["']""", re.MULTILINE)


def up_to_date(dsn: str, versions: Path = ROOT / "alembic" / "versions") -> bool:
    """Loading Alembic and the models to find nothing to do is a sixth of a warm start."""
    made: set[str] = set()
    built_upon: set[str] = set()
    for path in versions.glob("*.py"):
        for down, revision in REVISION.findall(path.read_text()):
            (built_upon if down else made).add(revision)
    try:
        with psycopg.connect(dsn, connect_timeout=5) as connection:
            rows = connection.execute("SELECT version_num FROM alembic_version").fetchall()
    except psycopg.Error:
        return False
    return bool(rows) and {row[0] for row in rows} == made - built_upon


def main() -> int:
    with tempfile.TemporaryDirectory() as folder:
        postgres = Postgres(Path(folder) / "postgres", durable=False)
        try:
            postgres.init()
            postgres.start()
            return _walk(postgres)
        finally:
            postgres.destroy()


def _walk(postgres: Postgres) -> int:
    env = {
        **os.environ,
        "DATABASE_URL": postgres.dsn(OWNER),
        "APP_DATABASE_URL": postgres.dsn(APP),
        "ENGINE_DATABASE_URL": postgres.dsn(ENGINE),
    }
    env.pop("DIRECT_DATABASE_URL", None)
    for step in COURSE:
        print("alembic", *step, flush=True)
        command = [sys.executable, "-m", "alembic", *step]
        if code := subprocess.run(command, cwd=ROOT, env=env, check=False).returncode:
            return code
    return 0


if __name__ == "__main__":
    sys.exit(main())
