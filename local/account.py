"""The operating system user that an embedded server runs as."""

from __future__ import annotations

import os
import pwd
import subprocess
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Account:
    """A user to become before exec; `None` in its place means "stay who we are"."""

    uid: int
    gid: int
    name: str

    def can_enter(self, folder: Path) -> bool:
        """Tried for real instead of computed from mode bits, so ACLs and mounts count too."""
        return self._succeeds("/bin/sh", "-c", 'cd -- "$1"', "sh", str(folder))

    def can_run(self, program: Path) -> bool:
        return self._succeeds(str(program), "--version")

    def _succeeds(self, *command: str) -> bool:
        try:
            done = subprocess.run(
                command,
                user=self.uid,
                group=self.gid,
                extra_groups=[],
                cwd="/",
                stdin=subprocess.DEVNULL,
                capture_output=True,
                check=False,
            )
        except OSError:
            return False
        return done.returncode == 0


def server_account(data: Path) -> Account | None:
    """PostgreSQL refuses to run as root, so root becomes somebody else: whoever owns the data.

    `nobody` for new data: initdb wants a name for its user, and creating users is not ours to do.
    """
    if os.geteuid() != 0:
        return None
    owner = data.stat().st_uid if data.exists() else 0
    try:
        entry = pwd.getpwuid(owner) if owner else pwd.getpwnam("nobody")
    except KeyError as error:
        raise OSError(f"no user entry for {owner or 'nobody'}, who should own {data}") from error
    return Account(entry.pw_uid, entry.pw_gid, entry.pw_name)
