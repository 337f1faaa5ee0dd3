"""Changes while the gateway serves: what comes into force, what does not, and what nobody notices."""

import asyncio
import errno
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import msgspec
import pytest

from levada.gateway import Credential, Gateway, Plan, Route, Upstream, supervise
from levada.gateway.accesslog import AccessLog
from levada.gateway.errors import EnvoyMissing, GatewayRejected
from levada.gateway.fleet import write_fleet

NOWHERE = Route(operation="x", method="GET", path="/x", product="a/A/v1", upstream="nowhere")


async def test_a_key_is_good_for_its_own_product_alone(fronted):
    async with fronted() as (gateway, parts, ask):
        for_b = Credential(key="b", consumer="phone", plan="gold", products=["b/B/v1"])
        changed = await gateway.apply(parts.but(credentials=[*parts.configuration.credentials, for_b]))
        assert changed == ["ecds.json"]
        assert [(await ask("/a/1", k))[0] for k in ("good", "b")] == [200, 403]
        assert [(await ask("/b/1", k))[0] for k in ("good", "b")] == [403, 200]
        both = Credential(key="both", consumer="phone", plan="gold", products=["a/A/v1", "b/B/v1"])
        await gateway.apply(parts.but(credentials=[both]))
        assert [(await ask(p, "both"))[0] for p in ("/a/1", "/b/1")] == [200, 200]
        assert (await ask("/a/1"))[0] == 401


async def test_a_bad_route_keeps_no_revoked_key_alive(fronted):
    async with fronted() as (gateway, parts, ask):
        new = Credential(key="new", consumer="web", plan="gold", products=["a/A/v1"])
        before = gateway.status().applied
        with pytest.raises(GatewayRejected, match="nowhere"):
            await gateway.apply(
                msgspec.structs.replace(
                    parts.configuration, credentials=[new], routes=[*parts.configuration.routes, NOWHERE]
                )
            )
        assert [(await ask("/a/1", k))[0] for k in ("good", "new")] == [401, 200]
        status = gateway.status()
        assert before != status.applied != status.desired
        os.kill(gateway.pid, signal.SIGKILL)
        async with asyncio.timeout(10):
            while gateway.status().restarts < 1 or gateway.pid is None:
                await asyncio.sleep(0.02)
            while not await _answers(ask, "new"):
                await asyncio.sleep(0.02)
        assert (await ask("/a/1"))[0] == 401


async def test_a_disk_that_is_full_when_envoy_dies_only_delays_its_return(fronted, monkeypatch):
    real, times = supervise.write_files, 0

    def full_at_first(files, folder):
        nonlocal times
        times += 1
        if times < 3:
            raise OSError(errno.ENOSPC, "No space left on device")
        real(files, folder)

    async with fronted() as (gateway, _, ask):
        monkeypatch.setattr(supervise, "write_files", full_at_first)
        os.kill(gateway.pid, signal.SIGKILL)
        async with asyncio.timeout(20):
            while times < 3 or not await _answers(ask, "good"):
                await asyncio.sleep(0.02)
        assert gateway.status().reason is None


async def _answers(ask, key):
    try:
        return (await ask("/a/1", key))[0] == 200
    except OSError:
        return False


async def test_each_refusal_is_told_with_its_own_reason(fronted):
    async with fronted() as (gateway, parts, ask):
        for name in ("nowhere", "elsewhere"):
            bad = msgspec.structs.replace(NOWHERE, upstream=name)
            with pytest.raises(GatewayRejected, match=f"'{name}'"):
                await gateway.apply(msgspec.structs.replace(parts.configuration, routes=[bad]))
        assert (await ask("/a/1"))[0] == 200


async def test_upstreams_change_places_and_nobody_notices(fronted):
    async with fronted() as (gateway, parts, ask):
        await parts.upstream("other")
        seen, going = [], True

        async def load():
            while going:
                seen.append(await ask("/a/1"))

        loads = [asyncio.create_task(load()) for _ in range(4)]
        for name in ("other", "app", "other"):
            routes = [msgspec.structs.replace(r, upstream=name) for r in parts.configuration.routes]
            place = Upstream(name=name, addresses=[f"unix:{parts.folder / name}.sock"])
            changed = await gateway.apply(parts.but(upstreams=[place], routes=routes))
            assert changed == ["cds.json", "rds.json"]
            assert (await ask("/a/1"))[1]["by"] == name
        going = False
        await asyncio.gather(*loads)
        assert {status for status, _ in seen} == {200}
        assert {body["by"] for _, body in seen} == {"app", "other"}


async def test_a_plan_with_another_limit_comes_into_force(fronted):
    async with fronted(plans=[Plan(name="gold", calls=2, seconds=3600)]) as (gateway, parts, ask):
        assert [(await ask("/a/1"))[0] for _ in range(3)] == [200, 200, 429]
        waiting = asyncio.create_task(ask("/a/1?pause=0.3", "good"))
        await gateway.apply(parts.but(plans=[Plan(name="gold", calls=500, seconds=1)]))
        async with asyncio.timeout(5):
            while (await ask("/a/1"))[0] != 200:
                await asyncio.sleep(0.01)
        assert (await waiting)[0] in (200, 429)


async def test_a_thousand_routes(fronted):
    async with fronted() as (gateway, parts, ask):
        many = [
            Route(operation=f"a/A/v1.op{n}", method="GET", path=f"/a/v1/things{n}/{{id}}", product="a/A/v1")
            for n in range(1000)
        ]
        await gateway.apply(parts.but(routes=many))
        assert [(await ask(f"/a/v1/things{n}/7"))[0] for n in (0, 500, 999)] == [200, 200, 200]
        assert [(await ask(p))[0] for p in ("/a/v1/things1000/7", "/a/1")] == [404, 404]
        key = Credential(key="late", consumer="late", plan="gold", products=["a/A/v1"])
        assert await gateway.apply(parts.but(credentials=[key])) == ["ecds.json"]


async def test_keys_with_bytes_that_are_no_text_are_refused(fronted):
    async with fronted() as (gateway, _parts, _ask):
        host, _, port = gateway.address.rpartition(":")
        for key in (b"\xff\xfe", b"g" * 10_000, b"good, good", b"", b" good\x00"):
            reader, writer = await asyncio.open_connection(host, int(port))
            writer.write(
                b"GET /a/1 HTTP/1.1\r\nhost: x\r\nconnection: close\r\nx-api-key: " + key + b"\r\n\r\n"
            )
            answer = await asyncio.wait_for(reader.read(), 5)
            writer.close()
            assert answer.split()[1] in (b"401", b"400"), (key, answer)
            assert b"x-consumer-id" not in answer


async def test_validate_says_what_envoy_would_refuse_and_touches_nothing(fronted):
    async with fronted() as (gateway, parts, ask):
        as_protocol: Gateway = gateway
        assert await as_protocol.validate(parts.configuration) is None
        bad = msgspec.structs.replace(parts.configuration, routes=[NOWHERE])
        assert "nowhere" in await gateway.validate(bad)
        assert (await ask("/a/1"))[0] == 200
        assert gateway.status().reason is None


async def test_the_log_goes_on_in_a_new_file(fronted):
    async with fronted() as (gateway, _parts, ask):
        path = gateway.folder / "access.log"
        await ask("/a/1")
        await ask("/a/1", None)
        log = AccessLog(path)
        async with asyncio.timeout(10):
            calls = log.read()
            while len(calls) < 2:
                await asyncio.sleep(0.02)
                calls += log.read()
            path.rename(path.with_name("access.log.1"))
            await gateway.reopen_log()
            await ask("/b/1")
            while len(calls) < 3:
                await asyncio.sleep(0.02)
                calls += log.read()
        log.close()
        assert [(c.consumer, c.plan, c.product, c.status, c.problem, c.fault) for c in calls] == [
            ("phone", "gold", "a/A/v1", 200, "", ""),
            ("", "", "a/A/v1", 401, "unauthorized", "caller"),
            ("phone", "gold", "b/B/v1", 403, "forbidden", "caller"),
        ]
        assert all(c.us > 0 and c.request and abs(c.minute - time.time() / 60) < 3 for c in calls)


PARENT = """
import asyncio, sys
from pathlib import Path
from levada.gateway import GatewayConfiguration, Listener, Upstream
from levada.gateway import supervise
from levada.gateway.supervise import EnvoySupervisor
async def main():
    told = GatewayConfiguration(listener=Listener(port=0), routes=[], plans=[],
                                upstreams=[Upstream(name="app", addresses=["127.0.0.1:1"])])
    async with EnvoySupervisor(told, Path(sys.argv[1])) as gateway:
        print(gateway.pid, flush=True)
        await asyncio.sleep(60)
asyncio.run(main())
"""


@pytest.mark.skipif(sys.platform != "linux", reason="the kernel ends a child with its parent on Linux alone")
async def test_nothing_is_left_where_the_supervisor_is_killed(folder, real_envoy):
    parent = subprocess.Popen([sys.executable, "-c", PARENT, str(folder / "gw")], stdout=subprocess.PIPE)
    pid = int(parent.stdout.readline())
    parent.kill()
    parent.wait()
    parent.stdout.close()
    async with asyncio.timeout(5):
        while _runs(pid):
            await asyncio.sleep(0.02)


def _runs(pid):
    try:
        with Path(f"/proc/{pid}/stat").open() as stat:
            return stat.read().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


async def test_files_for_a_fleet(fronted, tmp_path):
    async with fronted() as (_gateway, parts, _ask):
        first = write_fleet(parts.configuration, tmp_path / "out", runs_in="/etc/envoy")
        assert set(first.changed) == set(first.files) == {p.name for p in (tmp_path / "out").iterdir()}
        assert (first.routes, first.keys, first.command[2]) == (2, 1, "/etc/envoy/bootstrap.json")
        assert write_fleet(parts.configuration, tmp_path / "out", runs_in="/etc/envoy").changed == ()
        boot = msgspec.json.decode((tmp_path / "out" / "bootstrap.json").read_bytes())
        source = boot["dynamic_resources"]["cds_config"]["path_config_source"]
        assert source == {"path": "/etc/envoy/cds.json", "watched_directory": {"path": "/etc/envoy"}}


async def test_without_an_envoy_the_platforms_and_the_way_out_are_named(folder, monkeypatch, fronted):
    monkeypatch.setitem(sys.modules, "envoy", None)
    async with asyncio.timeout(5):
        with pytest.raises(EnvoyMissing, match=r"Linux.*macOS.*levada run"):
            async with fronted():
                pass


def test_a_name_that_could_pose_as_another_is_refused():
    for wrong in (
        {"consumer": "a/b"},
        {"plan": "gold,x"},
        {"products": ["a,b"]},
        {"consumer": "a\r\nb"},
        {"plan": ""},
    ):
        with pytest.raises(ValueError, match="other than letters"):
            Credential(**{"key": "k", "consumer": "c", "plan": "p", **wrong})
