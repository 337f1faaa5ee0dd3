"""Named queries and migrations are read as they are written, and each fits its database."""

import re

import pytest

from levada.store import open_store
from levada.store._queries import _query, migrations, queries


def test_parameters_are_numbered_once_each():
    query = _query("q", "SELECT :a, :b, :a FROM t WHERE x = :b\n")
    assert query.positional == "SELECT $1, $2, $1 FROM t WHERE x = $2"
    assert query.names == ("a", "b")


def test_what_only_looks_like_a_parameter_is_left():
    text = "SELECT ':no', a::text, 'it''s :no' FROM t WHERE b = :yes AND c = ':'"
    query = _query("q", text)
    assert query.names == ("yes",)
    assert query.positional == text.replace(":yes", "$1")


def test_now_has_its_type():
    assert _query("q", "SELECT :now").positional == "SELECT CAST($1 AS bigint)"


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("SELECT 1", "read"),
        ("select 1 for update", "read"),
        ("INSERT INTO t VALUES (1) RETURNING 1", "write"),
        ("WITH a AS (DELETE FROM t RETURNING 1) SELECT * FROM a", "mixed"),
    ],
)
def test_what_a_query_may_change_is_known(text, kind):
    assert _query("q", text).kind == kind


def test_both_databases_know_the_same_queries():
    alone = set(queries("sqlite").keys() ^ queries("postgresql").keys())
    assert alone == {
        "store.check",
        "schema.lock",
        "store.clock",
        "store.begin",
        "store.fate",
        "store.latest",
        "store.notify",
    }


def test_migrations_are_numbered_without_a_gap_and_only_expand():
    for dialect in ("sqlite", "postgresql"):
        numbers = [m.number for m in migrations(dialect)]
        assert numbers == list(range(1, len(numbers) + 1))
        for migration in migrations(dialect):
            assert not re.search(r"\b(DROP|RENAME)\b", migration.text, re.IGNORECASE), migration.name


BY_INDEX = {
    "runs.of_key": "levada_run_key",
    "parked.of_key": "levada_parked_of_key",
    "log.of_key": "levada_log_pkey",
    "log.event": "levada_log_event",
}
"""Queries that must not read a whole table, and the index of each."""


async def test_what_is_asked_of_a_key_is_found_by_an_index(tmp_path, database, closing):
    embedded = await closing(open_store(f"sqlite:{tmp_path / 'levada.db'}"))
    server = await closing(open_store(database))
    connection = server._writer.raw
    await connection.execute("SET enable_seqscan = off; SET plan_cache_mode = force_generic_plan")
    for name, index in BY_INDEX.items():
        query = queries("sqlite")[name]
        plan = embedded._writer.execute(f"EXPLAIN QUERY PLAN {query.text}", dict.fromkeys(query.names))
        first = plan.fetchone()[3]
        assert ("PRIMARY KEY" if index.endswith("_pkey") else index) in first
        assert "TEMP B-TREE" not in first
        query = queries("postgresql")[name]
        await connection.execute(f"PREPARE asked AS {query.positional}")
        nulls = ", ".join(["NULL"] * len(query.names))
        plan = await connection.fetch(f"EXPLAIN EXECUTE asked({nulls})")
        assert any(index in line for (line,) in plan), plan
        await connection.execute("DEALLOCATE asked")


async def test_every_query_fits_its_database(tmp_path, database, closing):
    """Prepared, not run: what is misspelt is found here and not at the first run."""
    embedded = await closing(open_store(f"sqlite:{tmp_path / 'levada.db'}"))
    wrong = {}
    for name, query in queries("sqlite").items():
        try:
            embedded._writer.execute(f"EXPLAIN {query.text}", dict.fromkeys(query.names))
        except Exception as error:
            wrong[f"sqlite {name}"] = str(error)
    server = await closing(open_store(database))
    for name, query in queries("postgresql").items():
        try:
            await server._writer.raw.prepare(query.positional)
        except Exception as error:
            wrong[f"postgresql {name}"] = str(error)
    assert wrong == {}
