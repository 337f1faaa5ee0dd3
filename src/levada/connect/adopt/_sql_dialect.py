"""SQL of one dialect over a table: what an adapter asks of it, and how a database in a file stands in for it."""

from __future__ import annotations

import re
from collections.abc import Mapping

from levada.connect.adopt._tables import Column, Table

__all__ = ["Dialect", "stored"]

_PLAIN = re.compile(r"[a-z_][a-z0-9_]*")
_KEYWORDS = frozenset(
    """
    ALL ALTER AND ANY AS ASC BETWEEN BY CASE CAST CHECK COLUMN CONSTRAINT CREATE CROSS CURRENT_DATE
    CURRENT_TIME DATE DEFAULT DELETE DESC DISTINCT DROP ELSE END EXCEPT EXISTS FETCH FOR FOREIGN
    FROM FULL GRANT GROUP HAVING IN INDEX INNER INSERT INTERSECT INTO IS JOIN KEY LEFT LIKE LIMIT
    NATURAL NOT NULL NUMBER OF OFFSET ON OPTION OR ORDER OUTER PRIMARY READ REFERENCES RIGHT ROW
    ROWS SELECT SESSION SET SIZE SOME TABLE THEN TIME TIMESTAMP TO TRIGGER UNION UNIQUE UPDATE USER
    USING VALUE VALUES VIEW WHEN WHERE WINDOW WITH
    """.split()  # noqa: SIM905 - as a list it is ninety lines
)
"""Words that some database reserves; a name that is one of them is quoted."""


class Dialect:
    """The words in which a database is asked; names are quoted where they have to be, values are placeholders."""

    def __init__(self, name: str) -> None:
        self.name = name

    def one(self, table: Table, wires: Mapping[str, str]) -> str:
        """The row of a key. ``wires``: what each column is called in the rows."""
        where = " AND ".join(f"{k} = ${n}" for n, k in enumerate(self._keys(table), 1))
        return f"{self._select(table, wires)} WHERE {where}"

    def first(self, table: Table, wires: Mapping[str, str]) -> str:
        """The first rows by key; ``$1``: how many."""
        return self._select(table, wires) + self._order(table) + self._limit(1)

    def after(self, table: Table, wires: Mapping[str, str]) -> str:
        """The rows behind a key; the last placeholder: how many."""
        keys = self._keys(table)
        return f"{self._select(table, wires)} WHERE {_beyond(keys)}{self._order(table)}{self._limit(len(keys) + 1)}"

    def create(self, table: Table) -> str:
        """A table of the same shape in SQLite."""
        columns = ", ".join(f"{self.quoted(c.name)} {_affinity(c)}" for c in table.columns)
        return f"CREATE TABLE {self.quoted(table.name)} ({columns})"

    def insert(self, table: Table) -> str:
        """A row into it, with a placeholder for each column."""
        places = ", ".join(f"${n}" for n in range(1, len(table.columns) + 1))
        return f"INSERT INTO {self.quoted(table.name)} VALUES ({places})"  # noqa: S608 - the name is quoted

    def fits_sqlite(self, table: Table) -> bool:
        """Whether a database in a file can stand in: it has no schemas, no arrays, and LIMIT alone."""
        arrays = any(c.type.startswith("tuple[") for c in table.columns)
        return table.schema is None and not arrays and self._limit(1).startswith(" LIMIT")

    def quoted(self, name: str) -> str:
        """A name as it stands in a statement."""
        if _PLAIN.fullmatch(name) and name.upper() not in _KEYWORDS:
            return name
        mark = "`" if self.name in ("mysql", "mariadb") else '"'
        return mark + name.replace(mark, mark * 2) + mark

    def _keys(self, table: Table) -> list[str]:
        return [self.quoted(c.name) for c in table.key]

    def _order(self, table: Table) -> str:
        return f" ORDER BY {', '.join(self._keys(table))}"

    def _select(self, table: Table, wires: Mapping[str, str]) -> str:
        chosen = ", ".join(self._selected(c, wires[c.name]) for c in table.columns)
        source = (f"{self.quoted(table.schema)}." if table.schema else "") + self.quoted(table.name)
        return f"SELECT {chosen} FROM {source}"  # noqa: S608 - names are quoted, values are placeholders

    def _selected(self, column: Column, name: str) -> str:
        source = self.quoted(column.name)
        if column.text:
            kind = "TEXT" if self.name in ("postgresql", "sqlite") else "CHAR"
            return f"CAST({source} AS {kind}) AS {self.quoted(name)}"
        return source if column.name == name else f"{source} AS {self.quoted(name)}"

    def _limit(self, at: int) -> str:
        if self.name in ("oracle", "db2"):
            return f" FETCH FIRST ${at} ROWS ONLY"
        if self.name == "mssql":
            return f" OFFSET 0 ROWS FETCH NEXT ${at} ROWS ONLY"
        return f" LIMIT ${at}"


def _beyond(keys: list[str]) -> str:
    """The rows behind a key, in words that every database knows."""
    ways = [
        " AND ".join([*(f"{k} = ${n}" for n, k in enumerate(keys[:at], 1)), f"{keys[at]} > ${at + 1}"])
        for at in range(len(keys))
    ]
    return ways[0] if len(ways) == 1 else " OR ".join(f"({w})" for w in ways)


def _affinity(column: Column) -> str:
    """The type of a column in SQLite."""
    if column.type.startswith("Literal["):
        return "INTEGER" if column.type[8] not in "'\"" else "TEXT"
    return {"int": "INTEGER", "bool": "INTEGER", "float": "REAL", "Decimal": "NUMERIC", "bytes": "BLOB"}.get(
        column.type, "TEXT"
    )


def stored(column: Column, name: str) -> str:
    """The value of a row as SQLite keeps it."""
    value = f"row.{name}"
    if column.json:
        return f"msgspec.json.encode({value}).decode()"
    if column.type in ("int", "str", "float", "bool", "bytes") or column.type.startswith("Literal["):
        return value
    return f"msgspec.to_builtins({value})"
