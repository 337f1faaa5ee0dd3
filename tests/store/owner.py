"""A process that owns a store: commits without end and says what was acknowledged, or serves its socket."""

import asyncio
import itertools
import sys
from pathlib import Path

from levada.store import Statement, Unit, open_store
from levada.store.socket import StoreServer


async def commit(path):
    store = await open_store(f"sqlite:{path}")

    async def one(task):
        for n in itertools.count():
            # Two rows that have to come and go together.
            both = [Statement("meta.set", {"name": f"{side}-{task}-{n}", "value": "1"}, 1) for side in "ab"]
            assert (await store.commit(Unit(both))).committed
            sys.stdout.write(f"{task}-{n}\n")
            sys.stdout.flush()

    await asyncio.gather(*(one(task) for task in range(16)))


async def serve(path):
    store = await open_store(f"sqlite:{path}")
    await StoreServer(store, str(Path(path).parent / "s")).start()
    print("serving", flush=True)
    await asyncio.Event().wait()


asyncio.run({"commit": commit, "serve": serve}[sys.argv[1]](sys.argv[2]))
