"""What every store keeps: a suite that an implementation of the protocol runs as its own tests.

A third party's tests::

    from levada.testing.conformance import StoreConformance

    class TestMyStore(StoreConformance):
        @pytest.fixture
        async def store(self): ...          # open, empty

        @pytest.fixture
        def reopen(self): ...               # async callable: another opening of the same data
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence

import pytest

from levada.store.errors import StoreClosed, StoreError, StoreUnknown
from levada.store.protocol import Outcome, Row, Statement, Store, Unit, Value

__all__ = ["StoreConformance"]

WAIT = 10.0
"""Seconds that a wake-up may take."""


def put(name: str, value: str = "1", rows: int | None = None) -> Statement:
    """Writes a value, anew or over another."""
    return Statement("meta.set", {"name": name, "value": value}, rows)


def refused() -> Statement:
    """Never returns a row, and has to."""
    return Statement("meta.get", {"name": "there is no such"}, 1)


def wrong() -> Statement:
    """Breaks a constraint."""
    return Statement("meta.set", {"name": "broken", "value": None})


class StoreConformance:
    """The promises of :class:`levada.store.Store`, one test each.

    ``survives``: whether data outlive a closed store. ``turned``: whether the clock of
    the fixture stands still unless a test turns it (then order of times is not checked
    against the machine's).
    """

    survives = True

    @pytest.fixture
    async def store(self) -> Store:
        """An open, empty store; the subclass gives it."""
        raise NotImplementedError

    async def value(self, store: Store, name: str) -> str | None:
        """What is kept under a name."""
        rows = await store.read("meta.get", {"name": name})
        return rows[0]["value"] if rows else None

    # -- units ------------------------------------------------------------------------

    async def test_a_committed_unit_is_read(self, store: Store) -> None:
        outcome = await store.commit(Unit([put("a", "1"), put("b", "2")]))
        assert outcome.committed
        assert len(outcome.rows) == 2
        assert [await self.value(store, name) for name in "ab"] == ["1", "2"]

    async def test_a_unit_sees_what_its_own_statements_did(self, store: Store) -> None:
        outcome = await store.commit(Unit([put("a", "7"), Statement("meta.get", {"name": "a"}, 1)]))
        assert outcome.rows[1] == [{"value": "7"}]

    async def test_a_unit_without_statements_commits(self, store: Store) -> None:
        assert (await store.commit(Unit([]))).committed

    @pytest.mark.parametrize("position", [0, 1, 2])
    async def test_a_refused_unit_leaves_nothing(self, store: Store, position: int) -> None:
        statements = [put("a"), put("b")]
        statements.insert(position, refused())
        outcome = await store.commit(Unit(statements))
        assert (outcome.committed, outcome.refused) == (False, position)
        assert [await self.value(store, name) for name in "ab"] == [None, None]

    async def test_more_rows_than_asked_for_refuse_as_well(self, store: Store) -> None:
        outcome = await store.commit(Unit([put("a"), put("a", rows=0)]))
        assert outcome.refused == 1
        assert await self.value(store, "a") is None

    async def test_rows_none_takes_any_number(self, store: Store) -> None:
        assert (await store.commit(Unit([Statement("meta.get", {"name": "none"}), put("a")]))).committed

    async def test_an_error_leaves_nothing_and_names_itself(self, store: Store) -> None:
        with pytest.raises(StoreError) as caught:
            await store.commit(Unit([put("a"), wrong()]))
        assert not isinstance(caught.value, StoreUnknown)
        assert await self.value(store, "a") is None
        assert (await store.commit(Unit([put("a")]))).committed

    @pytest.mark.parametrize(
        "statement",
        [
            Statement("no.such_query"),
            Statement("meta.set", {"name": "a"}),
            Statement("meta.set", {"name": "a", "value": "\ud800"}),
            Statement("inbox.clean", {"subscription": "s", "before": 1 << 70}),
        ],
        ids=["unknown query", "missing parameter", "half a surrogate", "too large a number"],
    )
    async def test_a_senseless_statement_reaches_its_own_caller_alone(
        self, store: Store, statement: Statement
    ) -> None:
        results = await asyncio.gather(
            *(store.commit(Unit([put(f"good {n}")])) for n in range(8)),
            store.commit(Unit([put("bad"), statement])),
            *(store.commit(Unit([put(f"fine {n}")])) for n in range(8)),
            return_exceptions=True,
        )
        failed = [r for r in results if isinstance(r, BaseException)]
        assert len(failed) == 1
        assert isinstance(failed[0], StoreError)
        assert await self.value(store, "bad") is None
        assert [await self.value(store, f"{w} {n}") for w in ("good", "fine") for n in range(8)] == ["1"] * 16

    async def test_reading_what_does_not_exist(self, store: Store) -> None:
        with pytest.raises(StoreError):
            await store.read("no.such_query")
        assert await store.read("meta.get", {"name": "none"}) == []

    # -- values -----------------------------------------------------------------------

    async def test_values_come_back_as_they_went(self, store: Store) -> None:
        values: Mapping[str, Value] = {
            "id": "k", "consumer": "Zoë ☂ \u0001", "product": "", "plan": "p", "environment": "test",
            "secret": bytes(range(256)), "created": (1 << 62) + 1, "expires": None,
        }  # fmt: skip
        assert (await store.commit(Unit([Statement("key.add", values, 1)]))).committed
        (row,) = await store.read("key.get", {"id": "k"})
        assert {name: row[name] for name in values} == values
        assert isinstance(row["secret"], bytes)

    async def test_truth_and_sums_are_plain_numbers(self, store: Store) -> None:
        rows = await store.read("store.kinds")
        assert rows == [{"yes": 1, "whole": 7}]
        assert {type(v) for v in rows[0].values()} == {int}

    # -- many at once -----------------------------------------------------------------

    async def test_refusals_and_errors_among_64_callers_stay_their_own(self, store: Store) -> None:
        async def one(n: int) -> str:
            unit = [put(f"n {n}"), *([refused()] if n % 5 == 0 else [wrong()] if n % 7 == 0 else [])]
            try:
                return "kept" if (await store.commit(Unit(unit))).committed else "refused"
            except StoreError:
                return "error"

        told = await asyncio.gather(*(one(n) for n in range(64)))
        assert told == ["refused" if n % 5 == 0 else "error" if n % 7 == 0 else "kept" for n in range(64)]
        kept = [await self.value(store, f"n {n}") is not None for n in range(64)]
        assert kept == [t == "kept" for t in told]

    async def test_one_of_many_wins_what_only_one_may_have(self, store: Store) -> None:
        def claim(n: int) -> Unit:
            place = {
                "caller": "c",
                "operation": "o",
                "key": "k",
                "digest": b"d",
                "holder": str(n),
                "lease": 10**9,
            }
            return Unit([Statement("idempotency.begin", place, 1), put(f"won {n}")])

        outcomes: Sequence[Outcome] = await asyncio.gather(*(store.commit(claim(n)) for n in range(64)))
        won = [n for n, outcome in enumerate(outcomes) if outcome.committed]
        assert len(won) == 1
        assert [n for n in range(64) if await self.value(store, f"won {n}")] == won

    async def test_a_callers_own_units_keep_their_order(self, store: Store) -> None:
        waiting = [asyncio.ensure_future(store.commit(Unit([put("a", str(n))]))) for n in range(100)]
        await asyncio.gather(*waiting)
        assert await self.value(store, "a") == "99"

    async def test_a_caller_that_gives_up_harms_nobody(self, store: Store) -> None:
        waiting = [asyncio.ensure_future(store.commit(Unit([put(f"n {n}")]))) for n in range(32)]
        await asyncio.sleep(0)
        for task in waiting[::2]:
            task.cancel()
        results = await asyncio.gather(*waiting, return_exceptions=True)
        assert all(isinstance(r, Outcome) and r.committed for r in results[1::2])
        assert [await self.value(store, f"n {n}") for n in range(1, 32, 2)] == ["1"] * 16
        assert (await store.commit(Unit([put("after")]))).committed

    async def test_the_loop_goes_on_meanwhile(self, store: Store) -> None:
        done = asyncio.ensure_future(
            asyncio.gather(*(store.commit(Unit([put(f"n {n}", "x" * 10_000)])) for n in range(500)))
        )
        turns = 0
        while not done.done():
            turns += 1
            await asyncio.sleep(0)
        assert turns > 5

    # -- time -------------------------------------------------------------------------

    async def test_time_never_goes_back_from_unit_to_unit(self, store: Store) -> None:
        times: list[int] = []
        for n in range(20):
            await store.commit(Unit([Statement("fact.add", _fact(n))]))
            times.append((await store.read("store.time"))[0]["now"])
            times.append(await store.now())
        assert times == sorted(times)

    async def test_time_is_one_within_a_unit(self, store: Store) -> None:
        outcome = await store.commit(Unit([Statement("store.time"), put("a"), Statement("store.time")]))
        assert outcome.rows[0] == outcome.rows[2]
        assert abs(outcome.rows[0][0]["now"] - await store.now()) < 60_000_000

    # -- wake-ups ---------------------------------------------------------------------

    async def test_a_commit_wakes_who_listens(self, store: Store) -> None:
        async with store.listen("a", "b") as wakes:
            await store.commit(Unit([put("x")], notify=["b"]))
            assert await self.woken(wakes, {"b"})

    async def test_two_channels_at_once_are_both_told(self, store: Store) -> None:
        async with store.listen("a", "b") as wakes:
            await store.commit(Unit([put("x")], notify=["a", "b"]))
            assert await self.woken(wakes, {"a", "b"})

    async def test_what_is_woken_sees_what_was_committed(self, store: Store) -> None:
        async with store.listen("a") as wakes:
            await store.commit(Unit([put("x", "seen")], notify=["a"]))
            assert await self.woken(wakes, {"a"})
            assert await self.value(store, "x") == "seen"

    async def test_an_opening_of_the_same_data_is_woken_as_well(
        self, store: Store, reopen: Callable[[], Awaitable[Store]]
    ) -> None:
        other = await reopen()
        try:
            async with other.listen("a") as wakes:
                for _ in range(100):
                    await store.commit(Unit([put("x")], notify=["a"]))
                    if await self.woken(wakes, {"a"}, wait=0.1):
                        return
            pytest.fail("not woken")
        finally:
            await other.close()

    async def woken(self, wakes: object, channels: set[str], wait: float = WAIT) -> bool:
        """Whether all of these are told in time; others may be as well."""

        async def all_told() -> None:
            missing = set(channels)
            async for channel in wakes:  # pyright: ignore[reportGeneralTypeIssues]
                missing.discard(channel)
                if not missing:
                    return

        try:
            await asyncio.wait_for(all_told(), wait)
        except TimeoutError:
            return False
        return True

    # -- the end ----------------------------------------------------------------------

    async def test_closing_finishes_what_was_accepted(
        self, store: Store, reopen: Callable[[], Awaitable[Store]]
    ) -> None:
        waiting = [asyncio.ensure_future(store.commit(Unit([put(f"n {n}")]))) for n in range(100)]
        await asyncio.sleep(0)
        await store.close()
        outcomes = await asyncio.gather(*waiting)
        assert all(outcome.committed for outcome in outcomes)
        if self.survives:
            again = await reopen()
            assert [await self.value(again, f"n {n}") for n in range(100)] == ["1"] * 100
            await again.close()

    async def test_a_closed_store_says_so(self, store: Store) -> None:
        await store.close()
        await store.close()
        with pytest.raises(StoreClosed):
            await store.commit(Unit([put("a")]))
        with pytest.raises(StoreClosed):
            await store.read("meta.get", {"name": "a"})


def _fact(n: int) -> Row:
    named = {
        "id": f"f {n}",
        "at": n,
        "environment": "test",
        "kind": "deployed",
        "status": "measured",
        "source": "s",
    }
    return named | dict.fromkeys(("api", "consumer", "flow", "ref"))
