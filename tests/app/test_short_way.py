"""The short way through uvicorn: tasks, cancellation, stopping, slow readers, as in ASGI."""

import asyncio
import contextvars
import socket
import tempfile
from pathlib import Path

import pytest
from tests.app.doors import ASGI, BASE, LAST, SHORT, Memory, app, counted, exchange, serving, token

from levada import Caller
from levada.app.eager import Eager

WAYS = pytest.mark.parametrize("way", [SHORT, ASGI])


def get(path: str, *headers: str) -> bytes:
    return "\r\n".join([f"GET {BASE}{path} HTTP/1.1", "host: t", *headers]).encode() + b"\r\n\r\n"


def things(served) -> Memory:
    return served.app.instance("sales/Things/v1")


async def until(true) -> None:
    async with asyncio.timeout(10):
        while not true():
            await asyncio.sleep(0)


@WAYS
async def test_a_stop_cuts_no_request_in_flight(way):
    async with serving(app(), way) as served:
        answers = [asyncio.create_task(exchange(served.port, get("/waits/gate"))) for _ in range(3)]
        idle = asyncio.create_task(exchange(served.port, get("/things/1")))
        await until(lambda: len(things(served).tasks) == 3 and served.server.server_state.total_requests == 1)
        served.server.should_exit = True
        assert (await idle).endswith(b"}")
        things(served).gate.set()
        for answer in answers:
            assert (await answer).endswith(b'connection: close\r\n\r\n"gate"')


@WAYS
async def test_a_stop_that_takes_too_long_cancels_and_says_so(way):
    async with serving(app(), way, timeout_graceful_shutdown=1) as served:
        answer = asyncio.create_task(exchange(served.port, get("/waits/for%20ever")))
        await until(lambda: things(served).tasks)
        served.server.should_exit = True
        told = await answer
        assert told.startswith(b"HTTP/1.1 503 ")
        assert b"retry-after: 1\r\n" in told
        assert b"The provider stops" in told
        assert things(served).done == ["cancelled"]
        assert counted(served.app) == {("", "", "sales/Things/v1.waits"): (0, 0, 0, 1, (("unavailable", 1),))}


@WAYS
async def test_a_caller_that_goes_away_ends_nothing_and_its_call_is_counted(way):
    async with serving(app(), way) as served:
        _, writer = await asyncio.open_connection("127.0.0.1", served.port)
        writer.write(get("/waits/gate"))
        await until(lambda: things(served).tasks)
        writer.close()
        await until(lambda: not served.server.server_state.connections)
        things(served).gate.set()
        await until(lambda: things(served).tasks[0].done())
        assert counted(served.app) == {("", "", "sales/Things/v1.waits"): (1, 0, 0, 0, ())}


@WAYS
async def test_a_deadline_cancels_what_waits_and_counts_it(way):
    async with serving(app(), way) as served:
        answer = await exchange(served.port, get("/waits/for%20ever", "levada-timeout-ms: 50") + LAST)
        assert answer.startswith(b"HTTP/1.1 504 ")
        assert things(served).done == ["cancelled"]
        assert counted(served.app) == {
            ("", "", "sales/Things/v1.waits"): (0, 0, 0, 1, (("deadline-exceeded", 1),))
        }


@WAYS
async def test_a_task_that_somebody_keeps_is_met_by_no_other_request(way):
    async with serving(app(), way) as served:
        for how in ("nothing", "turn", "unseen", "nothing", "itself"):
            await exchange(served.port, get(f"/waits/{how}") * 3 + LAST)
        tasks = things(served).tasks
        assert len(set(tasks)) == len(tasks) == 15
        await until(lambda: all(task.done() for task in tasks))


@WAYS
async def test_an_idle_connection_is_closed_and_one_in_use_is_not(way):
    async with serving(app(), way, timeout_keep_alive=1) as served:
        loop = asyncio.get_running_loop()
        reader, writer = await asyncio.open_connection("127.0.0.1", served.port)
        for _ in range(4):
            writer.write(get("/things/1"))
            await reader.readuntil(b"}")
            await asyncio.sleep(0.4)
        began = loop.time()
        assert await reader.read() == b""
        assert 0.4 <= loop.time() - began <= 1.6
        writer.close()


@WAYS
async def test_a_slow_reader_gets_everything_and_holds_up_nobody(way):
    async with serving(app(), way) as served:
        reader, writer = await asyncio.open_connection("127.0.0.1", served.port, limit=1 << 12)
        writer.write(get("/files/400000") * 20 + LAST)
        assert (await exchange(served.port, get("/things/1") + LAST)).startswith(b"HTTP/1.1 200")
        got = await reader.read(-1)
        assert got.count(b"HTTP/1.1 200 OK") == 20
        assert got.count(b"x") == 8_000_000
        writer.close()


@WAYS
async def test_what_the_gateway_says_is_believed_on_a_unix_socket_alone(way):
    with tempfile.TemporaryDirectory() as folder:
        path = str(Path(folder) / "s")
        listening = socket.socket(socket.AF_UNIX)
        listening.bind(path)
        listening.listen()
        async with serving(app(), way, sockets=[listening]) as served:
            asked = f"POST {BASE}/seen HTTP/1.1\r\nhost: t\r\nx-consumer-id: phone/shop/gold\r\nlevada-caller: anna\r\n\r\n"
            reader, writer = await asyncio.open_unix_connection(path)
            writer.write(asked.encode() + LAST)
            assert b'"subject":"anna","method":"api_key","consumer":"gateway"' in await reader.read()
            writer.close()
            assert (await exchange(served.port, asked.encode() + LAST)).startswith(b"HTTP/1.1 401 ")


@WAYS
async def test_whoever_knows_callers_may_wait_and_the_deadline_holds(way):
    served_app = app(anonymous=None)

    async def known(headers):
        if b"x-api-key" not in headers:
            return None
        await asyncio.sleep(0 if headers[b"x-api-key"] == b"slow" else 0.001)
        return Caller(subject="by key", environment="test", method="api_key")

    served_app.server.gatekeeper.add(known)
    async with serving(served_app, way) as served:
        for key in ("slow", "slower"):
            answer = await exchange(served.port, get("/things/1", f"x-api-key: {key}") + LAST)
            assert answer.startswith(b"HTTP/1.1 200")
        late = get("/waits/for%20ever", "x-api-key: slow", "levada-timeout-ms: 50")
        assert (await exchange(served.port, late + LAST)).startswith(b"HTTP/1.1 504")
        assert (await exchange(served.port, get("/things/1") + LAST)).startswith(b"HTTP/1.1 401")


@WAYS
async def test_many_callers_that_wait_at_once(way):
    async with serving(app(), way) as served:
        paths = ["/waits/short", "/things/1", "/waits/turn", "/waits/group", "/things/x"] * 12
        answers = await asyncio.gather(*(exchange(served.port, get(p) + LAST) for p in paths))
        assert [a[9:12] for a in answers] == [b"404" if p == "/things/x" else b"200" for p in paths]
        await until(lambda: not served.server.server_state.tasks)


@WAYS
async def test_a_token_of_the_network_makes_the_caller(way):
    async with serving(app(), way) as served:
        signed = f"levada-identity: {token('things:write').decode()}"
        body = '{"price":"2"}'
        head = f"PUT {BASE}/things/1 HTTP/1.1\r\nhost: t\r\n{signed}\r\ncontent-length: {len(body)}\r\n\r\n{body}"
        answer = await exchange(served.port, head.encode() * 2 + LAST)
        assert answer.count(b"HTTP/1.1 200 OK") == 2
        assert counted(served.app) == {("sales/Shop/v1", "phone", "sales/Things/v1.put"): (2, 0, 0, 0, ())}


async def test_what_does_not_wait_has_no_task_begun():
    loop = asyncio.get_running_loop()
    done = []

    async def work(wait: asyncio.Future | None) -> None:
        task = asyncio.current_task()
        if wait is not None:
            await wait
        assert asyncio.current_task() is task
        done.append(task)

    eager = Eager(loop)
    await asyncio.sleep(0)
    context = contextvars.copy_context
    waiting = loop.create_future()
    results = []

    def run(wait):
        results.append(eager.run(work(wait), context()))

    # From a callback: within a task there is one already.
    loop.call_soon(run, None)
    loop.call_soon(run, waiting)
    loop.call_soon(run, waiting)
    await until(lambda: len(results) == 3)
    assert results[0] is None
    assert len(done) == 1
    waiting.set_result(None)
    await asyncio.gather(*results[1:])
    assert done[1:] == results[1:]
