"""A process that works until every run has ended; `test_kill.py` kills it. Arguments: folder, runs to begin."""

import asyncio
import importlib.util
import sys
from pathlib import Path

from levada.process import run
from levada.process._steps import call_step
from levada.process.worker import Settings, Worker
from levada.store import Unit, open_store


def kit():
    spec = importlib.util.spec_from_file_location("kit", Path(__file__).with_name("conftest.py"))
    module = importlib.util.module_from_spec(spec)
    sys.modules["kit"] = module
    spec.loader.exec_module(module)
    return module


async def fulfil(order):
    hold = await call_step("hold", {"id": order["n"]})
    await run.gather(*(call_step("reserve", {"id": order["n"], "line": line}) for line in range(2)))
    await run.sleep(0.01)
    await call_step("ship", {"id": order["n"], "hold": hold})


async def main(folder, begin):
    tests = kit()
    store = await open_store(f"sqlite:{folder}/levada.db")
    legacy, code = tests.Legacy(folder / "legacy.db"), tests.Code(fulfil)
    sink = tests.RunSink(code)
    for n in range(begin):
        event = tests.Event(f"e-{n}", key=str(n % 9), data=b'{"n":%d}' % n, at=1)
        assert (await store.commit(Unit(await sink.take(event)))).committed
    worker = Worker(store, [code], legacy, tests.Outbox(), Settings(lease=0.5, poll=0.02, runs=8))
    async with asyncio.TaskGroup() as group:
        group.create_task(worker.serve())
        while any(row["state"] != "done" for row in await store.read("runs.counts")):
            await asyncio.sleep(0.02)
        await worker.drain()
    await store.close()


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1]), int(sys.argv[2])))
