"""The warehouse: dispatched once, duplicates noted, malformed rejected, half files waited for."""

from __future__ import annotations

import asyncssh
import pytest
from examples.order_to_cash.legacy.orderfile import OrderLine, order_text
from examples.order_to_cash.legacy.warehouse import PASSWORD, USER, Warehouse

LINES = [OrderLine(1, "A", 2), OrderLine(2, "B", 1)]


@pytest.fixture
async def drop(tmp_path):
    async with (
        Warehouse(tmp_path, delay=(0, 0.05)) as system,
        _sftp(system) as connection,
        connection.start_sftp_client() as files,
    ):
        yield system, files


def _sftp(system):
    key = asyncssh.import_public_key(system.host_key)
    return asyncssh.connect(
        system.host,
        system.port,
        username=USER,
        password=PASSWORD,
        known_hosts=([key], [], []),
        config=[],
        agent_path=None,
    )


async def put(files, name: str, text: str) -> None:
    async with files.open(f"/in/{name}.part", "w") as file:
        await file.write(text)
    await files.posix_rename(f"/in/{name}.part", f"/in/{name}")


async def read(files, name: str) -> str:
    async with files.open(name, "r") as file:
        return await file.read()


async def test_order_is_dispatched_once_and_repeats_are_noted(drop, until):
    system, files = drop
    await put(files, "o-1.csv", order_text("o-1", "1", "EIRE", LINES))
    await until(lambda: [one["written"] for one in system.all_dispatches()] == [1])
    assert await read(files, "/out/D-o-1-1.csv") == "H,D-o-1-1,o-1,1,1\nL,1,A,2\nL,2,B,1\nE,2\n"
    await put(files, "o-1.csv", order_text("o-1", "1", "EIRE", LINES[:1]))
    await until(lambda: len(system.duplicates()) == 1)
    assert system.duplicates()[0]["differs"] == 1
    assert len(system.all_dispatches()) == 1


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("H,o-1,1,EIRE\nL,1,A,0\nE,1\n", "line 2"),
        ("H,o-1,1\nL,1,A,1\nE,1\n", "line 1"),
        ("H,o-1,1,EIRE\nL,1,A,1\nE,2\n", "announced"),
        ("H,other,1,EIRE\nL,1,A,1\nE,1\n", "in a file named"),
        ("H,o-1,1,EIRE\nL,1,A,1\n", "cut off"),
    ],
)
async def test_malformed_is_rejected_with_a_reason(drop, until, text, reason):
    system, files = drop
    await put(files, "o-1.csv", text)
    target = system.files / "rejected" / "o-1.csv.reason"
    await until(target.exists)
    await until(lambda: reason in target.read_text())
    assert not system.all_dispatches()


async def test_half_written_order_is_waited_for(drop, until):
    system, files = drop
    text = order_text("o-1", "1", "EIRE", LINES)
    async with files.open("/in/o-1.csv", "w") as file:
        await file.write(text[:20])
        await put(files, "o-2.csv", order_text("o-2", "1", "EIRE", LINES))
        await until(lambda: len(system.all_dispatches()) == 1)
        await file.write(text[20:])
    await until(lambda: len(system.all_dispatches()) == 2)


async def test_half_written_dispatch_and_twice(drop, until):
    system, files = drop
    await system.fault(half_written_ms=150, twice_next=1)
    await put(files, "o-1.csv", order_text("o-1", "1", "EIRE", LINES))
    out = [system.files / "out" / name for name in ("D-o-1-1.csv", "D-o-1-1.again.csv")]
    await until(lambda: all(path.exists() for path in out))
    assert "E,2" not in out[0].read_text()
    await until(lambda: all(path.read_text().endswith("E,2\n") for path in out))


async def test_partial_and_out_of_chroot(tmp_path, until):
    async with (
        Warehouse(tmp_path, delay=(0, 0), partial=1) as system,
        _sftp(system) as connection,
        connection.start_sftp_client() as files,
    ):
        await put(files, "o-1.csv", order_text("o-1", "1", "EIRE", LINES))
        await until(lambda: [one["written"] for one in system.all_dispatches()] == [1, 1])
        assert [one["lines"] for one in system.all_dispatches()] == [[[1, "A", 2]], [[2, "B", 1]]]
        assert not await files.exists("/../../warehouse.db")


async def test_drop_after_and_down(drop, until):
    system, files = drop
    await system.fault(drop_after_next=1)
    with pytest.raises(asyncssh.ConnectionLost):
        await put(files, "o-1.csv", order_text("o-1", "1", "EIRE", LINES))
    await until(lambda: len(system.all_dispatches()) == 1)
    await system.fault(down=True)
    with pytest.raises(OSError):
        await _sftp(system)
    await system.heal()
    async with _sftp(system):
        pass
