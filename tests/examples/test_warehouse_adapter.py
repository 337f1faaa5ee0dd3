"""The warehouse's adapter: no dispatch file, whatever is in it, ends the pick-up."""

from __future__ import annotations

import asyncio

import pytest
from examples.order_to_cash.adapters.warehouse import SftpWarehouse, dispatched
from examples.order_to_cash.contracts import Dispatched

from levada.connect.files import Drop, DropSettings, HalfWritten
from levada.store import StoreUnknown

WHOLE = b"H,D-1,536365,1,2\nL,1,85123A,6\nE,1\n"


def test_a_whole_file_and_one_whose_end_is_missing():
    assert dispatched("D-1.csv", WHOLE) == Dispatched(order="536365", dispatch="D-1", part=1, parts=2)
    with pytest.raises(HalfWritten, match=r"D-1\.csv"):
        dispatched("D-1.csv", WHOLE[:-4])


async def test_half_written_and_broken_files_keep_no_other_waiting(tmp_path):
    settings = DropSettings(url=f"folder:{tmp_path}", ready="renamed", poll=0.01)
    told: list[Dispatched] = []

    async def publish(event: Dispatched) -> None:
        told.append(event)

    for name, content in {
        "D-1.csv": WHOLE[:-4],
        "D-2.csv": b"X,1\nE,0\n",
        "D-3.csv": b"E\n",
        "D-4.csv": WHOLE,
        "D-5.csv": b"H,D-5,536365,1\nL,1,85123A,6\nE,1\n",  # a column is missing
        "D-6.csv": b"H,D-6,536365,1,2,3\nE,0\n",  # one too many
        "D-7.csv": b"H,D-7,536365,one,2\nE,0\n",  # no number
        "D-8.csv": b"H," + b"x" * 200_000 + b"\nE,0\n",  # longer than CSV may be
        "D-9.csv": b"\xff\xfe",
    }.items():
        (tmp_path / name).write_bytes(content)
    adapter: SftpWarehouse = SftpWarehouse()
    async with Drop(settings, name="out") as drop:
        adapter.told = publish  # type: ignore[assignment] - stands for the port
        seen: set[str] = set()
        async for file in drop.pick_up():
            seen.add(file.name)
            await adapter._take(file)
            if seen == {f"D-{n}.csv" for n in range(1, 10)}:
                break
    assert [event.dispatch for event in told] == ["D-1"]
    assert (tmp_path / "D-1.csv").exists()  # put back, to be looked at again
    broken = {f"D-{n}.csv" for n in (2, 3, 5, 6, 7, 8, 9)}
    assert {f.name for f in (tmp_path / "failed").glob("*.csv")} == broken
    assert {f.name for f in (tmp_path / "failed").glob("*.reason.txt")} == {f"{n}.reason.txt" for n in broken}
    assert [f.name for f in (tmp_path / "done").iterdir()] == ["D-4.csv"]


async def test_a_file_whose_event_could_not_be_published_is_picked_up_again(tmp_path):
    told: list[str] = []
    done = asyncio.Event()

    async def publish(event: Dispatched) -> None:
        told.append(event.dispatch)
        if len(told) == 1:
            raise StoreUnknown(reason="its owner went away.")
        if len(told) == 2:
            # Files are taken one after another: when this one is, the former was finished.
            (tmp_path / "D-2.csv").write_bytes(WHOLE.replace(b"D-1", b"D-2"))
        else:
            done.set()

    (tmp_path / "D-1.csv").write_bytes(WHOLE)
    adapter: SftpWarehouse = SftpWarehouse()
    async with Drop(DropSettings(url=f"folder:{tmp_path}", ready="renamed", poll=0.01), name="out") as drop:
        adapter.told, adapter.outbox = publish, drop  # type: ignore[assignment] - stands for the port
        await adapter.start()
        async with asyncio.timeout(20):
            await done.wait()
        await adapter.stop()
    assert told == ["D-1", "D-1", "D-2"]
    assert (tmp_path / "done" / "D-1.csv").exists()
    assert not list((tmp_path / "failed").iterdir())
