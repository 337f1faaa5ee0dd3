"""A worker that picks files up, in a process of its own, and is killed at the Nth thing it does to the file system.

``python picker.py URL KNOWN_HOSTS EFFECTS KILL_AT``: each file's content is appended to EFFECTS, under its key.
"""

import asyncio
import os
import signal
import sys
from pathlib import Path

from levada.connect.files import Drop, DropSettings

CHANGES = {"os.rename", "os.link", "os.remove", "os.mkdir"}


def die_at(count: int) -> None:
    """SIGKILL before the Nth change, as the OOM killer does."""
    seen = 0

    def step(event: str, arguments: tuple[object, ...]) -> None:
        nonlocal seen
        if event in CHANGES or (event == "open" and set("wa") & set(str(arguments[1] or ""))):
            seen += 1
            if seen == count:
                os.kill(os.getpid(), signal.SIGKILL)

    sys.addaudithook(step)


async def main(url: str, hosts: str, effects: Path) -> None:
    settings = DropSettings(url=url, known_hosts=hosts, ready="renamed", poll=0.01, lease=600)
    async with Drop(settings, name="out") as drop:
        async for file in drop.pick_up(once=True):
            async with file:
                data = await file.read()
                with effects.open("ab") as out:
                    out.write(f"{await file.key()} ".encode() + data + b"\n")
                sys.audit("os.rename", "the work is done")
            sys.audit("os.rename", "the file is moved")


if __name__ == "__main__":
    die_at(int(sys.argv[4]))
    asyncio.run(main(sys.argv[1], sys.argv[2], Path(sys.argv[3])))
