"""Any units in any group: each is kept whole or leaves nothing, in the order in which they came."""

import asyncio
import itertools

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from levada.store import Outcome, Statement, StoreError, Unit, open_store

NAMES = "abc"
_marks = itertools.count()

kinds = st.one_of(
    st.tuples(st.just("put"), st.sampled_from(NAMES), st.sampled_from([None, 1, 0])),
    st.tuples(st.just("needs"), st.sampled_from(NAMES), st.sampled_from([None, 1, 0])),
    st.tuples(st.just("wrong"), st.just(""), st.none()),
    st.tuples(st.just("unknown"), st.just(""), st.none()),
)
groups = st.lists(st.lists(kinds, max_size=4), min_size=1, max_size=12)


def statement(kind, name, rows, value):
    if kind == "put":
        return Statement("meta.set", {"name": name, "value": value}, rows)
    if kind == "needs":
        return Statement("meta.get", {"name": name}, rows)
    return Statement("meta.set", {"name": "x", "value": None}) if kind == "wrong" else Statement("no.such")


def expected(units):
    """What each unit ends with, and what is kept, by the rules of the protocol alone."""
    kept = {}
    told = []
    for n, unit in enumerate(units):
        trial, end = dict(kept), "committed"
        for position, (kind, name, rows) in enumerate(unit):
            if kind in ("wrong", "unknown"):
                end = "error"
                break
            if kind == "put":
                trial[name] = str(n)
            count = 1 if kind == "put" else int(name in trial)
            if rows is not None and rows != count:
                end = position
                break
        if end == "committed":
            kept = trial
        told.append(end)
    return told, kept


async def behaves(store, units):
    # Names of this group alone: nothing else that is kept matters.
    mark = f"{next(_marks)}-"
    made = [
        Unit([statement(kind, mark + name, rows, value=str(n)) for kind, name, rows in unit])
        for n, unit in enumerate(units)
    ]
    ends = await asyncio.gather(*(store.commit(unit) for unit in made), return_exceptions=True)
    told, kept = expected(units)
    for end, wanted in zip(ends, told, strict=True):
        if wanted == "error":
            assert isinstance(end, StoreError)
        else:
            assert isinstance(end, Outcome), end
            assert ("committed" if end.committed else end.refused) == wanted
    found = {n: await store.read("meta.get", {"name": mark + n}) for n in NAMES}
    assert {n: rows[0]["value"] for n, rows in found.items() if rows} == kept


@pytest.fixture(params=["sqlite", "memory", "postgresql"])
def url(request, tmp_path):
    if request.param == "memory":
        return "sqlite::memory:"
    if request.param == "sqlite":
        return f"sqlite:{tmp_path / 'levada.db'}?synchronous=NORMAL"
    return request.getfixturevalue("database")


def test_units_are_whole_or_nothing_in_their_order(url):
    with asyncio.Runner() as runner:
        store = runner.run(open_store(url))

        @settings(max_examples=150, deadline=None, suppress_health_check=list(HealthCheck))
        @given(groups)
        def check(units):
            runner.run(behaves(store, units))

        try:
            check()
        finally:
            runner.run(store.close())
