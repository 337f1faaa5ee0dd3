"""API keys from their making to their end, in the store and at the real gateway."""

import asyncio
import stat

import pytest

from levada.app.secrets import made_secret
from levada.gateway.errors import KeyUnknown, MasterShort, PlanUnknown
from levada.gateway.keys import ApiKeys, shown
from levada.store.clock import VirtualClock
from levada.store.sqlite import SqliteStore

DAY = 86_400_000_000
MASTER = b"m" * 32


@pytest.fixture
def clock():
    return VirtualClock()


@pytest.fixture
async def store(tmp_path, clock):
    store = await SqliteStore(str(tmp_path / "s.db"), clock=clock).open()
    yield store
    await store.close()


@pytest.fixture
def keys(store):
    return ApiKeys(store, MASTER, "test", ["gold"])


async def made(keys, **more):
    return await keys.create(**{"consumer": "phone", "product": "a/A/v1", "plan": "gold", **more})


async def good(keys):
    return [c.key for c in await keys.credentials()]


async def test_a_key_is_shown_once_and_nowhere_in_the_store(keys, store, tmp_path):
    key = await made(keys)
    assert await good(keys) == [key.key]
    secret = key.key.rpartition("_")[2]
    assert secret not in repr(key)
    seen = [shown(k, await keys.now()) for k in await keys.list()]
    assert [k["state"] for k in seen] == ["live"]
    assert all("secret" not in k and secret not in str(k) for k in seen)
    await store.close()
    for file in tmp_path.iterdir():
        assert secret.encode() not in file.read_bytes(), file


async def test_keys_end_by_time_by_revoking_and_after_the_grace_of_a_rotation(keys, clock):
    short = await made(keys, expires=clock.now() + DAY)
    old = await made(keys)
    new = await keys.rotate(old.id, grace=2 * DAY)
    assert set(await good(keys)) == {short.key, old.key, new.key}
    clock.advance(DAY)
    assert set(await good(keys)) == {old.key, new.key}
    clock.advance(DAY + 1000)  # each commit takes a microsecond of the store's clock
    assert await good(keys) == [new.key]
    await keys.revoke(new.id)
    assert await good(keys) == []
    for ended in (short, old, new):
        with pytest.raises(KeyUnknown):
            await keys.rotate(ended.id)
    with pytest.raises(KeyUnknown):
        await keys.revoke(new.id)


async def test_a_rotation_makes_no_key_live_longer(keys, clock):
    old = await made(keys, expires=clock.now() + DAY)
    new = await keys.rotate(old.id, grace=10 * DAY)
    clock.advance(DAY)
    assert await good(keys) == []
    assert new.expires == old.expires


async def test_a_clock_that_is_set_back_makes_no_ended_key_good_again(keys, clock):
    short, old = await made(keys, expires=clock.now() + DAY), await made(keys)
    new = await keys.rotate(old.id, grace=DAY)
    clock.advance(DAY + 1000)
    gone = await made(keys)
    await keys.revoke(gone.id)
    assert await good(keys) == [new.key]
    clock.advance(-DAY)
    assert await good(keys) == [new.key]
    states = {k["id"]: k["state"] for k in [shown(k, await keys.now()) for k in await keys.list()]}
    assert states == {short.id: "ended", old.id: "ended", gone.id: "revoked", new.id: "live"}


async def test_another_master_opens_nothing_and_keeps_nothing_from_changing(keys, store):
    await made(keys)
    other = ApiKeys(store, b"o" * 32, "test", ["gold"])
    assert await good(other) == []
    mine = await made(other, consumer="web")
    assert await good(other) == [mine.key]
    assert len(await good(keys)) == 1
    assert await good(ApiKeys(store, MASTER, "production", ["gold"])) == []


async def test_names_and_plans_that_are_none_are_refused(keys, store):
    for wrong in ({"consumer": "a/b"}, {"product": "a,b"}, {"consumer": ""}, {"product": "a b"}):
        with pytest.raises(KeyUnknown, match="other than letters"):
            await made(keys, **wrong)
    with pytest.raises(PlanUnknown, match="gold"):
        await made(keys, plan="lead")
    with pytest.raises(MasterShort, match="16"):
        ApiKeys(store, b"short", "test", ["gold"])


def test_the_master_secret_is_made_once_and_for_its_owner_alone(tmp_path):
    path = tmp_path / "gw" / "master.key"
    assert made_secret(path) == made_secret(path)
    assert len(made_secret(path)) == 32
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


async def test_at_the_gateway_a_key_is_good_at_once_and_refused_at_once(keys, clock, fronted):
    async with fronted(credentials=[]) as (gateway, parts, ask):

        async def told():
            await gateway.apply(parts.but(credentials=await keys.credentials()))

        first = await made(keys, expires=clock.now() + DAY)
        await told()
        assert (await ask("/a/1", first.key))[0] == 200
        second = await keys.rotate(first.id, grace=1000)
        await told()
        assert [(await ask("/a/1", k.key))[0] for k in (first, second)] == [200, 200]
        clock.advance(2000)
        await told()
        assert [(await ask("/a/1", k.key))[0] for k in (first, second)] == [401, 200]
        await keys.revoke(second.id)
        await told()
        malformed = ["lv_", second.key[:-1], second.key + "x", second.key.upper(), f"lv_{second.id}_"]
        assert {(await ask("/a/1", k))[0] for k in (second.key, *malformed)} == {401}
        rest = await asyncio.gather(*(ask(f"/a/1?{p}={second.key}", None) for p in ("x-api-key", "api_key")))
        assert {status for status, _ in rest} == {401}
