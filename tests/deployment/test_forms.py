"""What the store holds can still be read by the code that starts on it, or nothing starts (durability, rule 1)."""

import asyncio
import json
import textwrap
from time import monotonic

import pytest
from tests.started import levada

from levada.app import App
from levada.deployment import StoreRuntime
from levada.deployment.forms import FormsUnreadable, check_forms, kept_forms
from levada.store import open_store

CODE = """
from abc import abstractmethod
from datetime import timedelta
from typing import Any
from msgspec import Struct
from levada import (
    Awaits, Event, OrderKey, ProcessAPI, Publishes, SystemAPI, effect, handles, http, run, upcaster
)

class Parcel(Struct, frozen=True):
    id: str
    {parcel}

class Depot(SystemAPI, domain="post", version="1.0"):
    @http.post("/parcels", final=True)
    @abstractmethod
    async def pack(self, letter: str) -> Parcel: ...

class Shed(Depot):
    @effect.passes_key
    async def pack(self, letter: str) -> Parcel:
        return Parcel(letter, {packed})

class Sent(Event, version="{version}", domain="post"):
    letter: OrderKey[str]
    {sent}

class Signed(Event, version="1.0", domain="post"):
    letter: OrderKey[str]

class Post(ProcessAPI, domain="post", version="1.0"):
    depot: Depot
    sent: Publishes[Sent]
    signed: Publishes[Signed]
    signature: Awaits[Signed]

    @http.post("/letters/{{letter}}")
    async def send(self, letter: str) -> None:
        await self.sent(Sent(letter=letter, {made}))

    @http.post("/letters/{{letter}}/signature")
    async def sign(self, letter: str) -> None:
        await self.signed(Signed(letter=letter))

    @handles(Sent)
    async def deliver(self, sent: Sent) -> None:
        handled.append(sent)
        parcel = await self.depot.pack(sent.letter)
        await self.signature(key=sent.letter, timeout=timedelta(days=9))
        delivered.append(parcel)
"""
UPCAST = """
    @upcaster
    def from_grams(stored: dict[str, Any]) -> dict[str, Any]:
        if "grams" in stored:
            stored["weight"] = {expression}
        return stored
"""
FIRST = {
    "version": "1.0",
    "sent": "grams: int",
    "made": "grams=7",
    "parcel": "note: str = ''",
    "packed": "'x'",
}
HEAVIER = {**FIRST, "version": "1.1", "sent": "weight: str", "made": "weight='7 g'"}


def code(**parts: str):
    space = {"__name__": "post", "handled": [], "delivered": []}
    exec(CODE.format(**{**FIRST, **parts}), space)
    return space


def upcast(expression: str) -> str:
    return "weight: str\n" + textwrap.indent(
        textwrap.dedent(UPCAST.replace("{expression}", expression)), "    "
    )


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request, tmp_path):
    if request.param == "sqlite":
        return f"sqlite:{tmp_path / 'levada.db'}"
    return request.getfixturevalue("database")


class Deployed:
    """An app that runs on the store, as one deployment after the other."""

    def __init__(self, url: str, space) -> None:
        self.url, self.space = url, space

    async def __aenter__(self):
        self.store = await open_store(self.url)
        self.app = App(self.space["Post"], self.space["Shed"])
        StoreRuntime(self.app, self.store, owns=True)
        try:
            await self.app.start()
        except BaseException:
            await self.store.close()
            raise
        return self

    async def __aexit__(self, *_):
        await self.app.stop()

    @property
    def post(self):
        return self.app[self.space["Post"]]

    async def until(self, done) -> None:
        end = monotonic() + 20
        while not await done():
            assert monotonic() < end, await self.store.read("runs.counts")
            await asyncio.sleep(0.02)

    async def waiting(self) -> bool:
        return [row["state"] for row in await self.store.read("runs.counts")] == ["waiting"]

    async def done(self) -> bool:
        return [row["state"] for row in await self.store.read("runs.counts")] == ["done"]


async def first(url: str, *, ended: bool = False) -> None:
    """The first deployment handles a letter, and leaves it waiting or brings it to its end."""
    async with Deployed(url, code()) as net:
        await net.post.send("l-1")
        await net.until(net.waiting)
        if ended:
            await net.post.sign("l-1")
            await net.until(net.done)


async def refused(url: str, space) -> str:
    with pytest.raises(FormsUnreadable) as caught:
        async with Deployed(url, space):
            pass
    return str(caught.value)


async def test_an_event_that_could_not_be_read_any_more_is_refused_with_type_field_and_mend(url):
    await first(url)
    said = await refused(url, code(**HEAVIER))
    assert "post.Sent.v1.weight: what was written before has no weight" in said
    assert "Give it a default: weight: … = …" in said
    async with Deployed(url, code()) as net:
        assert await net.waiting(), "the former code goes on as if nothing had been tried"


async def test_an_upcaster_brings_the_log_and_the_input_of_an_open_run_into_the_present_form(url):
    await first(url)
    space = code(**{**HEAVIER, "sent": upcast("f\"{stored.pop('grams')} g\"")})
    async with Deployed(url, space) as net:
        await net.post.sign("l-1")
        await net.until(net.done)
        assert [event.weight for event in space["handled"]] == ["7 g"], "the run was replayed with its input"
        assert [parcel.id for parcel in space["delivered"]] == ["l-1"]


async def test_an_upcaster_is_tried_before_anything_starts(url):
    await first(url)
    said = await refused(url, code(**{**HEAVIER, "sent": upcast("stored.pop('grams')")}))
    assert "its upcasters do not bring version 1.0 into the present form" in said
    said = await refused(url, code(**{**HEAVIER, "sent": upcast("stored['kilos']")}))
    assert "KeyError" in said


async def test_what_a_run_has_in_its_journal_is_protected_until_the_run_has_ended(url):
    changed = {"parcel": "stamps: int", "packed": "1"}
    await first(url)
    said = await refused(url, code(**changed))
    assert "post/Depot/v1.pack answer.stamps: what was written before has no stamps" in said
    async with Deployed(url, code()) as net:
        await net.post.sign("l-1")
        await net.until(net.done)
    async with Deployed(url, code(**changed)) as net:
        assert await net.done()


async def test_a_compatible_change_starts_and_every_former_form_is_kept(url):
    await first(url)
    async with Deployed(url, code(sent="grams: int\n    colour: str = 'white'", version="1.1")) as net:
        kept = [form for form in await kept_forms(net.store) if form.name == "post.Sent.v1"]
        assert sorted(form.current for form in kept) == [False, True]
        assert all(form.needed for form in kept)
        checks = check_forms(net.app, kept)
        assert [(c.version, c.findings) for c in checks] == [("1.0", [])]
    said = await refused(url, code(sent="grams: int\n    colour: int = 0", version="1.2"))
    assert "post.Sent.v1.colour: it was str and is now int" in said


async def test_runs_check_says_the_same_before_a_deployment(tmp_path):
    await first(f"sqlite:{tmp_path / 'levada.db'}")
    (tmp_path / "levada.toml").write_text('[app]\nmodules = ["post"]\n')

    def checked(**parts: str):
        source = "handled, delivered = [], []\n" + CODE.format(**{**FIRST, **parts})
        (tmp_path / "post.py").write_text(source)
        done = levada(tmp_path, "runs", "check", "--json")
        return done.returncode, json.loads(done.stdout)

    assert checked()[0] == 0
    found, told = checked(**HEAVIER)
    assert found == 3
    assert [(f["name"], f["version"], bool(f["breaks"])) for f in told["forms"]] == [
        ("post.Sent.v1", "1.0", True)
    ]
    assert "open runs" in told["forms"][0]["needed"]
    assert checked(**{**HEAVIER, "sent": upcast("f\"{stored.pop('grams')} g\"")})[0] == 0
