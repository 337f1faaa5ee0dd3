"""What a database says of its tables: columns, keys, and the values that its checks allow."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass, field
from importlib.resources import files
from typing import Any

from levada.connect.adopt._fetch import Place
from levada.connect.adopt.errors import NotAdopted, NotFetched
from levada.connect.errors import ConnectError, ExtraMissing
from levada.connect.secrets import has_password, without
from levada.connect.sql import Database
from levada.contract._generate.text import quoted

__all__ = ["ZONELESS", "Column", "Table", "read_tables"]

ZONED = "Annotated[datetime, Meta(tz=True)]"
ZONELESS = "Annotated[datetime, Meta(tz=False)]"
_POSTGRES = {
    "int2": "int", "int4": "int", "int8": "int", "numeric": "Decimal", "float4": "float", "float8": "float",
    "bool": "bool", "text": "str", "varchar": "str", "bpchar": "str", "name": "str", "citext": "str",
    "date": "date", "timestamp": ZONELESS, "timestamptz": ZONED, "time": "time", "interval": "timedelta",
    "bytea": "bytes", "uuid": "UUID", "json": "Any", "jsonb": "Any",
}  # fmt: skip
_BITS = {"int2": 16, "int4": 32}
"""Of whole numbers that have fewer than the 64 of a contract."""
_PYTHON = {"int", "str", "Decimal", "float", "bool", "date", "datetime", "time", "timedelta", "bytes", "UUID"}
_WORD = r"'(?:[^']|'')*'|-?\d+"
_VALUES = rf"((?:(?:{_WORD})(?:::[\w ]+(?:\(\d+\))?)?(?:, ?)?)+)"
_ALLOWED = (
    re.compile(rf"CHECK \(+\w+\)?(?:::[\w ]+)? = ANY \(+ARRAY\[{_VALUES}\](?:\)::[\w ]+\[\])?\)+"),
    re.compile(rf"[(\"\[`]*\w+[\]\"`)]* IN \({_VALUES}\)\)*", re.IGNORECASE),
)
"""The whole of a check has to be one of these: another condition beside it may allow more."""


@dataclass
class Column:
    """``type``: Python source without null; ``text``: is read as text; ``json``: is JSON to be decoded; ``bits``: of an int."""

    name: str
    type: str
    nullable: bool
    doc: str = ""
    text: bool = False
    json: bool = False
    bits: int = 64

    @property
    def as_key(self) -> str:
        """The type of what is looked for in the column: the database refuses a number that it could not hold."""
        if self.type != "int" or self.bits == 64:
            return self.type
        most = 2 ** (self.bits - 1)
        return f"Annotated[int, Meta(ge={-most}, le={most - 1})]"


@dataclass
class Table:
    """A table or view, with the columns of its key in their order; without any it has no key."""

    name: str
    schema: str | None
    columns: list[Column] = field(default_factory=list[Column])
    key: list[Column] = field(default_factory=list[Column])
    doc: str = ""


def read_tables(
    place: Place, wanted: Iterable[str] = (), schema: str | None = None
) -> tuple[str, list[Table]]:
    """The dialect, and the tables that are wanted; none: all.

    Raises:
        NotFetched: The database cannot be reached, or a password stands in the command.
        NotAdopted: A table is not there.
    """
    if place.reference is None and has_password(place.root):
        raise NotFetched(
            place="The database's URL",
            reason="it has a password, and commands are seen by others",
            mend="Put it into a variable and give that: env:ERP_URL",
        )
    database = Database(place.root, name=place.shown)
    if database.dialect == "postgresql":
        found = asyncio.run(_postgres(database, schema))
    else:
        found = _inspected(place, schema)
    return database.dialect, _chosen(place, found, tuple(wanted))


def _chosen(place: Place, found: list[Table], wanted: tuple[str, ...]) -> list[Table]:
    known = {t.name: t for t in found}
    if missing := [w for w in wanted if w not in known]:
        near = ", ".join(sorted(known)[:30]) or "none"
        raise NotAdopted(
            place=place.shown, reason=f"there is no table {', '.join(missing)}", mend=f"There are: {near}"
        )
    return [known[w] for w in wanted] if wanted else found


def allowed(checks: Iterable[str]) -> str | None:
    """``Literal[…]`` of a check such as ``status IN (1, 2)``, or None."""
    for check in checks:
        for pattern in _ALLOWED:
            if (match := pattern.fullmatch(check.strip())) is not None:
                words = re.findall(_WORD, re.sub(r"::[\w ]+(\(\d+\))?", "", match[1]))
                values = [quoted(w[1:-1].replace("''", "'")) if w[0] == "'" else w for w in words]
                return f"Literal[{', '.join(values)}]"
    return None


async def _postgres(database: Database, schema: str | None) -> list[Table]:
    query = files("levada.connect.adopt").joinpath("postgres.sql").read_text(encoding="utf-8")
    try:
        async with database, database.connection() as connection:
            rows = await connection.fetch(query.rstrip().rstrip(";"), schema)
    except ConnectError as error:
        raise _unreachable(database.name, error) from None
    tables: dict[str, Table] = {}
    keys: dict[str, dict[int, Column]] = {}
    for row in rows:
        name = row["table_name"]
        table = tables.setdefault(
            name, Table(name, schema and row["schema_name"], doc=row["table_doc"] or "")
        )
        column = _postgres_column(row)
        table.columns.append(column)
        if row["key_position"] is not None:
            keys.setdefault(name, {})[row["key_position"]] = column
    for name, columns in keys.items():
        tables[name].key = [columns[n] for n in sorted(columns)]
    return list(tables.values())


def _postgres_column(row: dict[str, Any]) -> Column:
    name = row["type_name"]
    made = Column(row["column_name"], "str", not row["not_null"], row["column_doc"] or "")
    if row["labels"]:
        made.type = f"Literal[{', '.join(quoted(v) for v in row['labels'])}]"
    elif name in _POSTGRES:
        made.type = allowed(row["checks"] or ()) or _POSTGRES[name]
        made.json = name in ("json", "jsonb")
        made.bits = _BITS.get(name, 64)
    elif name.startswith("_") and _POSTGRES.get(name[1:], "Any") != "Any":
        made.type = f"tuple[{_POSTGRES[name[1:]]}, ...]"
    else:
        made.text = True
    return made


def _inspected(place: Place, schema: str | None) -> list[Table]:
    try:
        import sqlalchemy as sa
    except ImportError:
        raise ExtraMissing(what="A database other than PostgreSQL", extra="sql") from None
    from sqlalchemy import exc

    from levada.connect.sql._alchemy import normal

    try:
        engine = sa.create_engine(_existing(place, normal(place.root)), hide_parameters=True)
        try:
            inspector = sa.inspect(engine)
            names = [*inspector.get_table_names(schema), *inspector.get_view_names(schema)]
            return [_inspected_table(inspector, n, schema) for n in names]
        finally:
            engine.dispose()
    except (exc.SQLAlchemyError, ImportError) as error:
        raise _unreachable(place.shown, error, place.root) from None


def _existing(place: Place, url: str) -> str:
    """SQLite makes a file that is not there; a description is only read."""
    from levada.connect.sql._database import sqlite_file

    file = sqlite_file(place.root)
    if file is not None and not file.is_file():
        raise NotFetched(place=place.shown, reason="there is no such file", mend="Check the path")
    return url


def _inspected_table(inspector: Any, name: str, schema: str | None) -> Table:
    table = Table(name, schema)
    key = inspector.get_pk_constraint(name, schema)["constrained_columns"]
    with suppress(NotImplementedError):
        table.doc = inspector.get_table_comment(name, schema)["text"] or ""
    checks: list[str] = []
    with suppress(NotImplementedError):
        checks = [c["sqltext"] for c in inspector.get_check_constraints(name, schema)]
    for found in inspector.get_columns(name, schema):
        column = _inspected_column(found, checks)
        column.nullable = column.nullable and found["name"] not in key
        table.columns.append(column)
    table.key = [c for k in key for c in table.columns if c.name == k]
    return table


def _inspected_column(found: dict[str, Any], checks: list[str]) -> Column:
    from sqlalchemy import JSON

    kind = found["type"]
    made = Column(found["name"], "str", bool(found["nullable"]), found.get("comment") or "")
    try:
        python = str(kind.python_type.__name__)
    except NotImplementedError:
        python = ""
    own = [c for c in checks if re.match(rf'[("\[`]*{re.escape(made.name)}\W', c)]
    if getattr(kind, "enums", None):
        made.type = f"Literal[{', '.join(quoted(v) for v in kind.enums)}]"
    elif python == "datetime":
        made.type = ZONED if getattr(kind, "timezone", False) else ZONELESS
    elif python in _PYTHON:
        made.type = allowed(own) or python
    elif isinstance(kind, JSON):
        made.type, made.json = "Any", True
    else:
        made.text = True
    return made


def _unreachable(shown: str, error: Exception, *secrets: str) -> NotFetched:
    reason = error.values.get("reason", "") if isinstance(error, ConnectError) else ""
    text = str(reason) or str(getattr(error, "orig", None) or error).partition("\n")[0]
    return NotFetched(
        place=shown, reason=without(text, *secrets), mend="Check the URL and that it can be reached"
    )
