"""What a person sees in the terminal."""

from __future__ import annotations

import contextlib
import secrets
from datetime import datetime

from local.datadir import DataDir
from local.ports import HOST
from local.stack import FLOWER_USER, Stack

SCREEN = """
  Wheels and Wins is ready ({seconds:.1f} s)

    API      {api}
    Docs     {api}/docs
    Flower   {flower}   user {user}, password {password}

    Say hello:
    curl -s {api}/api/v1/auth/signup -H 'content-type: application/json' \
-d '{{"email": "{email}", "password": "a long road trip"}}'

    Logs     {logs}
{notes}    Stop     Ctrl-C
"""


def say(name: str, text: str) -> None:
    # the terminal may be gone while we still have processes to end
    with contextlib.suppress(OSError):
        print(f"{datetime.now():%H:%M:%S}  {name:<13}{text}", flush=True)  # noqa: DTZ005


def welcome(stack: Stack, data: DataDir, seconds: float) -> None:
    knobs = stack.knobs
    moved = [server for server in stack.servers if server.folder != server.asked_folder]
    notes = [
        f"    Data     {server.name} in {server.folder},\n             because the user"
        f" {server.account.name if server.account else ''} cannot enter {server.asked_folder}\n"
        for server in moved
    ]
    text = SCREEN.format(
        seconds=seconds,
        # one that is not taken yet, so that the line works after every start
        email=f"traveller-{secrets.randbelow(10**6):06}@example.com",
        api=f"http://{HOST}:{knobs.api_port}",
        flower=f"http://{HOST}:{knobs.flower_port}",
        user=FLOWER_USER,
        password=data.secrets["flower"],
        logs=data.path / "logs",
        notes="".join(notes),
    )
    with contextlib.suppress(OSError):
        print(text, flush=True)
