"""What every connector keeps: a suite that an implementation of ``Resource`` runs as its own tests.

A third party's tests::

    from levada.testing.conformance import ConnectorConformance, ConnectorRig

    class MyRig(ConnectorRig): ...          # opens it, makes one change, counts the changes

    class TestMyConnector(ConnectorConformance):
        @pytest.fixture
        async def rig(self): ...            # a MyRig over a Link to a real server
"""

from __future__ import annotations

import asyncio
import logging
import time
import traceback
from abc import ABC, abstractmethod
from typing import Any

import pytest

from levada.app.context import Context, _current
from levada.connect import ConnectError, Resource
from levada.connect.errors import NotStarted
from levada.testing.link import Link

__all__ = ["ConnectorConformance", "ConnectorRig"]

SOON = 8.0
"""Seconds within which everything here has to come to an end, though nobody answers."""
PIECES = 60
"""Pieces of answers after which a change has surely succeeded."""


class ConnectorRig(ABC):
    """One connector, one real system behind a :class:`~levada.testing.link.Link`.

    ``secret`` is a value that it is opened with, and is to be seen nowhere.
    """

    link: Link
    secret: str

    @abstractmethod
    def open(self, *, timeout: float = 5.0, pool: int = 2) -> Resource:
        """The connector, over the link; not started."""

    @abstractmethod
    async def look(self, resource: Any) -> object:
        """A call that changes nothing."""

    @abstractmethod
    async def change(self, resource: Any) -> object:
        """A call that changes something; each makes one change more."""

    @abstractmethod
    async def changes(self) -> int:
        """How many changes the system has seen, asked past the link."""


async def _problem(calling: Any) -> ConnectError | None:
    began = time.perf_counter()
    try:
        async with asyncio.timeout(SOON):
            await calling
    except ConnectError as error:
        return error
    finally:
        assert time.perf_counter() - began < SOON, "it did not come to an end"
    return None


class ConnectorConformance:
    """The promises of :class:`levada.connect.Resource`, one test each."""

    @pytest.fixture
    async def rig(self) -> ConnectorRig:
        """A rig; the subclass gives it."""
        raise NotImplementedError

    async def test_it_is_started_and_stopped_as_often_as_one_likes(self, rig: ConnectorRig) -> None:
        resource = rig.open()
        assert isinstance(resource, Resource)
        for _ in range(2):
            await resource.start()
            await resource.start()
            await rig.change(resource)
            await rig.look(resource)
            await resource.stop()
            await resource.stop()
        assert await rig.changes() == 2

    async def test_before_its_start_it_says_so(self, rig: ConnectorRig) -> None:
        resource = rig.open()
        with pytest.raises(NotStarted, match=resource.name):
            await rig.change(resource)
        assert not (await resource.health()).ok
        assert await rig.changes() == 0

    async def test_health_is_told_and_never_raised(self, rig: ConnectorRig) -> None:
        resource = rig.open(timeout=0.5)
        await resource.start()
        try:
            well = await resource.health()
            assert (well.ok, well.name, well.detail) == (True, resource.name, "")
            rig.link.hold()
            await self._ill(resource)
            await rig.link.heal()
            await rig.link.refuse()
            await self._ill(resource)
            await rig.link.heal()
            async with asyncio.timeout(SOON):
                while not (await resource.health()).ok:  # noqa: ASYNC110 - the system comes back, and sets no event
                    await asyncio.sleep(0.05)
        finally:
            await rig.link.heal()
            await resource.stop()

    async def _ill(self, resource: Resource) -> None:
        async with asyncio.timeout(SOON + 6):
            found = await resource.health()
        assert not found.ok
        assert found.detail

    async def test_where_nobody_is_nothing_was_done(self, rig: ConnectorRig) -> None:
        resource = rig.open(timeout=2)
        await rig.link.refuse()
        await resource.start()  # does not wait for the system to be up
        try:
            error = await _problem(rig.change(resource))
            assert error is not None
            assert error.outcome == "not_done"
            await rig.link.heal()
            assert await rig.changes() == 0
            await rig.change(resource)
            assert await rig.changes() == 1
        finally:
            await resource.stop()

    async def test_a_call_without_an_answer_comes_to_an_end(self, rig: ConnectorRig) -> None:
        resource = rig.open(timeout=0.5)
        await resource.start()
        try:
            await rig.look(resource)
            rig.link.hold()
            looked = await _problem(rig.look(resource))
            assert looked is not None
            assert looked.outcome == "not_done", "what changes nothing may always be repeated"
            before = await rig.changes()
            changed = await _problem(rig.change(resource))
            assert changed is not None
            await self._true(rig, changed, before)
            await rig.link.heal()
            await rig.change(resource)
        finally:
            await rig.link.heal()
            await resource.stop()

    async def test_the_nearer_deadline_counts(self, rig: ConnectorRig) -> None:
        resource = rig.open(timeout=60)
        await resource.start()
        try:
            await rig.look(resource)
            rig.link.hold()
            token = _current.set(Context(deadline=asyncio.get_running_loop().time() + 0.4))
            try:
                assert await _problem(rig.change(resource)) is not None
            finally:
                _current.reset(token)
        finally:
            await rig.link.heal()
            await resource.stop()

    async def test_wherever_an_answer_is_lost_what_is_said_of_the_outcome_is_true(
        self, rig: ConnectorRig
    ) -> None:
        done_unheard = 0
        for answers in range(PIECES):
            resource = rig.open()
            await resource.start()
            try:
                before = await rig.changes()
                rig.link.cut_after(answers)
                error = await _problem(rig.change(resource))
                if error is not None:
                    done_unheard += await self._true(rig, error, before)
                    await rig.link.heal()
                    before = await rig.changes()
                    await rig.change(resource)  # and it can be used again
                assert await rig.changes() == before + 1
                if error is None:
                    break
            finally:
                await rig.link.heal()
                await resource.stop()
        else:
            raise AssertionError(f"a change takes more than {PIECES} pieces of answers")
        assert done_unheard, "no cut fell between the change and its answer: the suite has seen nothing"

    async def _true(self, rig: ConnectorRig, error: ConnectError, before: int) -> bool:
        """What is said of the outcome holds; whether the change was made all the same."""
        made = await rig.changes() - before
        assert made in (0, 1), "a change was made more than once"
        if error.outcome != "unknown":
            assert made == 0, f"it was done, though {error.code} says {error.outcome}"
        return made == 1

    async def test_no_more_connections_than_its_pool_has(self, rig: ConnectorRig) -> None:
        resource = rig.open(timeout=20)
        await resource.start()
        try:
            await asyncio.gather(*(rig.change(resource) for _ in range(12)))
            assert await rig.changes() == 12
            assert rig.link.most <= 2
        finally:
            await resource.stop()

    async def test_the_secret_is_seen_nowhere(
        self, rig: ConnectorRig, caplog: pytest.LogCaptureFixture
    ) -> None:
        caplog.set_level(logging.DEBUG)
        shown: list[str] = []
        resource = rig.open(timeout=0.5)
        shown.append(repr(resource))
        await resource.start()
        try:
            await rig.change(resource)
            for trouble in (rig.link.hold, rig.link.cut, rig.link.refuse):
                outcome = trouble()
                if outcome is not None:
                    await outcome
                shown.append(repr(await resource.health()))
                error = await _problem(rig.change(resource))
                shown += [] if error is None else ["".join(traceback.format_exception(error)), repr(error)]
                await rig.link.heal()
            shown.append(repr(resource))
        finally:
            await rig.link.heal()
            await resource.stop()
        shown += [
            f"{record.getMessage()} {record.__dict__} {record.exc_text or ''}" for record in caplog.records
        ]
        seen = [text for text in shown if rig.secret in text]
        assert seen == [], f"the secret is in:\n{seen[0]}" if seen else ""
