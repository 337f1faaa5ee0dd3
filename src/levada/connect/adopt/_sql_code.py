"""The package of a database's tables: contract, adapter, fake and a test on a database of the same shape."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import PurePath
from urllib.parse import urlsplit

from levada.connect.adopt._fetch import Place
from levada.connect.adopt._package import Adopted, Package, package_name
from levada.connect.adopt._sql_dialect import Dialect, stored
from levada.connect.adopt._tables import ZONELESS, Column, Table, read_tables
from levada.connect.adopt._wishes import Wishes
from levada.connect.adopt.errors import NotAdopted
from levada.contract._generate.fake import FakeClass, scenario
from levada.contract._generate.layout import WIDTH, laid_out
from levada.contract._generate.model import (
    Field,
    Method,
    Module,
    ProblemClass,
    StructClass,
    class_name,
    field_name,
    snake_name,
)
from levada.contract._generate.names import Taken, method_name
from levada.contract._generate.samples import Samples
from levada.contract._generate.text import quoted
from levada.contract._generate.write import heading
from levada.contract.problem import RESERVED

__all__ = ["adopt_database"]

_NAMES = "names: these are the tables' words; give them the domain's, the adapter's SELECT maps them"
_ZONE = "zone: {columns} has no time zone; find out which one is meant, and let the adapter give it"
_LIMIT = "Annotated[int, Meta(ge=1, le=1000)]"

_PAGE = '''def _page(
    rows: Sequence[dict[str, Any]], limit: int, make: Callable[[dict[str, Any]], T], *key: str
) -> Page[T]:
    """A page of the rows, of which there is one more where there is a next page."""
    items = tuple(make(row) for row in rows[:limit])
    if len(rows) <= limit:
        return Page(items)
    return Page(items, msgspec.json.encode([rows[limit - 1][name] for name in key]).decode())'''

_AFTER = '''def _after(cursor: str, key: type[T]) -> T:
    """The key that a page ended with."""
    try:
        return msgspec.json.decode(cursor, type=key)
    except msgspec.DecodeError:
        raise CursorRefused from None'''

_JSON = """def _json(value: Any) -> Any:
    return msgspec.json.decode(value) if isinstance(value, (str, bytes)) else value"""


@dataclass
class _Entity:
    """A table in the contract: its struct, its problem, and the names of its columns there."""

    table: Table
    struct: StructClass
    missing: ProblemClass
    names: dict[str, str]
    wires: dict[str, str]
    """The names of its columns in the rows of the adapter's statements."""
    one: Method
    many: Method

    @property
    def snake(self) -> str:
        return snake_name(self.struct.name).rstrip("_")

    @property
    def key(self) -> list[tuple[Column, str]]:
        return [(c, self.names[c.name]) for c in self.table.key]


def adopt_database(place: Place, wishes: Wishes) -> Adopted:
    """Contract, adapter, fake and test for reading tables of a database.

    Raises:
        NotFetched: The database cannot be reached.
        NotAdopted: A table is not there, or none of them has a key.
    """
    dialect, found = read_tables(place, wishes.tables, wishes.schema)
    contract = wishes.name or class_name(_database_name(place.root) or "Database")
    module = Module(
        contract, "system", wishes.domain or "external", "1.0", f"What the tables of {contract} hold."
    )
    if wishes.domain is None:
        module.decide.append("owner: the domain that owns this API")
    module.decide.append(_NAMES)
    taken = Taken(module)
    taken.take("CursorRefused")
    detail = "The cursor is none that this API gave."
    module.problems.append(
        ProblemClass("CursorRefused", 400, [], "A page was asked for that there is not.", detail)
    )
    entities = [e for t in found if (e := _entity(t, module, taken)) is not None]
    if not entities:
        raise NotAdopted(
            place=place.shown,
            reason=f"nothing can be carried over: {'; '.join(module.notes) or 'there are no tables'}",
            mend="Name tables with a primary key: --tables customer,orders",
        )
    return _Writer(module, entities, place, dialect, wishes).adopted()


def _database_name(url: str) -> str:
    path = urlsplit(url).path if "://" in url else url.partition(":")[2]
    return PurePath(path).stem


def _entity(table: Table, module: Module, taken: Taken) -> _Entity | None:
    """A table's part of the contract, added to the module; None: it has none, and the module notes why."""
    if (unfit := _unfit(table)) is not None:
        module.notes.append(f"{table.name}: left out, {unfit}")
        return None
    names, wires = _names(table)
    struct = _struct(table, names, wires, taken)
    _note(table, module)
    key = [Field(names[c.name], c.type) for c in table.key]
    missing = _missing(table, struct, key, taken)
    one, many = _one(table, struct, missing, names, module), _many(table, struct, module)
    module.structs.append(struct)
    module.problems.append(missing)
    return _Entity(table, struct, missing, names, wires, one, many)


def _unfit(table: Table) -> str | None:
    """Why rows of a table cannot be found and paged, if so."""
    if not table.key:
        return "it has no key to find and page its rows by"
    bad = [c.name for c in table.key if c.text or c.type in ("Any", "bytes") or c.type.startswith("tuple[")]
    return f"its key {', '.join(bad)} cannot stand in an address" if bad else None


def _names(table: Table) -> tuple[dict[str, str], dict[str, str]]:
    """What each column is called in the contract, and in the rows of the adapter's statements."""
    names: dict[str, str] = {}
    for column in table.columns:
        # A problem has members of its own, and the key becomes some of it.
        reserved = RESERVED if column in table.key else frozenset[str]()
        names[column.name] = field_name(column.name, {*names.values(), *reserved})
    wires: dict[str, str] = {}
    for column, name in names.items():
        bare = name.rstrip("_")
        wires[column] = name if bare in wires.values() else bare
    return names, wires


def _struct(table: Table, names: dict[str, str], wires: dict[str, str], taken: Taken) -> StructClass:
    struct = StructClass(taken.take(table.name), [], table.doc)
    struct.fields = [
        Field(
            names[c.name],
            c.type + (" | None" if c.nullable and c.type != "Any" else ""),
            wire=None if wires[c.name] == names[c.name] else wires[c.name],
            doc=c.doc,
        )
        for c in table.columns
    ]
    return struct


def _note(table: Table, module: Module) -> None:
    """What a person has to know of the columns, and to decide."""
    for column in table.columns:
        if column.text:
            module.notes.append(f"{table.name}.{column.name}: of a type of its own, read as text")
    if zoneless := [f"{table.name}.{c.name}" for c in table.columns if ZONELESS in c.type]:
        module.decide.append(_ZONE.format(columns=", ".join(zoneless)))


def _missing(table: Table, struct: StructClass, key: list[Field], taken: Taken) -> ProblemClass:
    words = ", ".join("{" + f.name + "}" for f in key)
    said = _said(table.name)
    return ProblemClass(
        taken.take(f"{struct.name}NotFound"), 404, key, f"There is no such {said}.", f"No {said} {words}."
    )


def _path(table: Table) -> str:
    return "/" + "-".join(snake_name(table.name).rstrip("_").split("_"))


def _one(
    table: Table, struct: StructClass, missing: ProblemClass, names: dict[str, str], module: Module
) -> Method:
    key = [Field(names[c.name], c.as_key) for c in table.key]
    path = _path(table) + "".join("/{" + f.name + "}" for f in key)
    one = Method(method_name(table.name, module), "get", path, key, struct.name)
    one.doc = table.doc or f"The {_said(table.name)} of a key."
    one.options["raises"] = f"[{missing.name}]"
    module.methods.append(one)
    return one


def _many(table: Table, struct: StructClass, module: Module) -> Method:
    name = method_name(f"list_{table.name}", module)
    arguments = [Field("cursor", "str | None", "None"), Field("limit", _LIMIT, "100")]
    many = Method(name, "get", _path(table), arguments, f"Page[{struct.name}]")
    many.options["raises"] = "[CursorRefused]"
    many.doc = f"All of {_said(table.name)}, by key. ``cursor``: where the page before ended."
    module.methods.append(many)
    return many


def _said(name: str) -> str:
    """A table's name in a sentence: order_line is an order line."""
    return snake_name(name).rstrip("_").replace("_", " ")


class _Writer:
    def __init__(
        self,
        module: Module,
        entities: list[_Entity],
        place: Place,
        dialect: str,
        wishes: Wishes,
    ) -> None:
        self.module = module
        self.entities = entities
        self.dialect = Dialect(dialect)
        self.resource = wishes.resource or snake_name(module.name)
        self.reference = place.reference or f"env:{self.resource.upper()}_URL"
        self.url = None if place.reference else place.root
        self.package = Package(module, package_name(wishes.package, module), place.shown, fake=self._fake())

    def adopted(self) -> Adopted:
        """All files, and the lines for levada.toml."""
        name, package = self.module.name, self.package
        doc = f"Keeps {name}'s promise on its tables. Nobody but this module sees them."
        extra = {
            "Database": "levada.connect.sql", "Callable": "collections.abc",
        }  # fmt: skip
        package.add("adapter", doc, self._adapter(), extra)
        extra = {
            f"Sql{name}": f"{package.package}.adapter",
            "Database": "levada.connect.sql",
            "Path": "pathlib",
        }
        package.test(
            f"{name} by its fake, and the adapter's statements on a database of the same shape.",
            [*self._tests(), self._real()],
            extra,
        )
        settings = f'[resources.{self.resource}]\nurl = "{self.reference}"'
        return package.adopted(settings, {self.reference.removeprefix("env:"): self.url} if self.url else {})

    # -- the adapter -------------------------------------------------------------------

    def _adapter(self) -> str:
        name = self.module.name
        statements = "\n".join(s for e in self.entities for s in self._statements(e))
        methods = "\n\n".join(m for e in self.entities for m in self._methods(e))
        makers = "\n\n\n".join(self._maker(e) for e in self.entities)
        json = [_JSON] if any(c.json for e in self.entities for c in e.table.columns) else []
        body = f"""class Sql{name}({name}, protect=Protect(concurrency=8)):
    \"\"\"Keeps the contract on the tables; it reads, and changes nothing.\"\"\"

    db: Database = resource({quoted(self.resource)})

{methods}"""
        return "\n\n\n".join([f'T = TypeVar("T")\n\n{statements}', body, makers, *json, _AFTER, _PAGE])

    def _statements(self, entity: _Entity) -> list[str]:
        table, wires, upper = entity.table, entity.wires, entity.snake.upper()
        return [
            _constant(f"_{upper}", self.dialect.one(table, wires)),
            _constant(f"_{upper}_FIRST", self.dialect.first(table, wires)),
            _constant(f"_{upper}_AFTER", self.dialect.after(table, wires)),
        ]

    def _methods(self, entity: _Entity) -> list[str]:
        upper, make = entity.snake.upper(), f"_{entity.snake}"
        names = [n for _, n in entity.key]
        given = ", ".join(names)
        raised = ", ".join(f"{n}={n}" for n in names)
        key = f"tuple[{', '.join(c.as_key for c, _ in entity.key)}]"
        told = ", ".join(quoted(entity.wires[c.name]) for c, _ in entity.key)
        connect = "        async with self.db.connection() as connection:"
        one = [
            heading(entity.one),
            connect,
            laid_out(f"row = await connection.fetchrow(_{upper}, {given})", " " * 12),
            "        if row is None:",
            laid_out(f"raise {entity.missing.name}({raised})", " " * 12),
            f"        return {make}(row)",
        ]
        many = [
            heading(entity.many),
            connect,
            "            if cursor is None:",
            laid_out(f"rows = await connection.fetch(_{upper}_FIRST, limit + 1)", " " * 16),
            "            else:",
            laid_out(f"after = _after(cursor, {key})", " " * 16),
            laid_out(f"rows = await connection.fetch(_{upper}_AFTER, *after, limit + 1)", " " * 16),
            laid_out(f"return _page(rows, limit, {make}, {told})", " " * 8),
        ]
        return ["\n".join(one), "\n".join(many)]

    def _maker(self, entity: _Entity) -> str:
        decoded = ", ".join(
            f"{quoted(n)}: _json(row[{quoted(n)}])"
            for c, n in ((c, entity.wires[c.name]) for c in entity.table.columns)
            if c.json
        )
        row = f"{{**row, {decoded}}}" if decoded else "row"
        line = laid_out(f"return msgspec.convert({row}, {entity.struct.name}, strict=False)", "    ")
        return f"def _{entity.snake}(row: dict[str, Any]) -> {entity.struct.name}:\n{line}"

    # -- the fake and the tests --------------------------------------------------------

    def _fake(self) -> FakeClass:
        samples = Samples(self.module, full=True)
        start = ["    def __init__(self) -> None:"]
        methods: list[str] = []
        for entity in self.entities:
            rows = f"self.{entity.snake}_rows"
            start.append(laid_out(f"{rows} = [{samples.of(entity.struct.name, '')}]", " " * 8))
            names = [n for _, n in entity.key]
            same = " and ".join(f"row.{n} == {n}" for n in names)
            one = [
                heading(entity.one),
                f"        for row in {rows}:",
                f"            if {same}:",
                "                return row",
                laid_out(f"raise {entity.missing.name}({', '.join(f'{n}={n}' for n in names)})", " " * 8),
            ]
            many = [
                heading(entity.many),
                "        if cursor is not None and not cursor.isdecimal():",
                "            raise CursorRefused",
                "        start = int(cursor or 0)",
                "        end = start + limit",
                f"        more = str(end) if end < len({rows}) else None",
                f"        return Page(tuple({rows}[start:end]), more)",
            ]
            methods += ["\n".join(one), "\n".join(many)]
        head = f"class Fake{self.module.name}(testing.Fake, {self.module.name}):\n"
        head += '    """Holds rows in memory: a test adds to them or takes them away."""'
        return FakeClass("\n\n".join([head, "\n".join(start), *methods]))

    def _tests(self) -> list[str]:
        found = [self._fake_test(e) for e in self.entities]
        return found + [self._adapter_test(e) for e in self.entities if self.dialect.fits_sqlite(e.table)]

    def _fake_test(self, entity: _Entity) -> str:
        name = self.module.name
        keys = ", ".join(f"row.{n}" for _, n in entity.key)
        return scenario(
            f"test_{entity.snake}_is_found_in_the_fake",
            f"Fake{name}()",
            [
                f"(row,) = fake.{entity.snake}_rows",
                f"assert await net[{name}].{entity.one.name}({keys}) == row",
                f"assert await net[{name}].{entity.many.name}() == Page((row,))",
                f"fake.{entity.snake}_rows.clear()",
                f"with pytest.raises({entity.missing.name}):\n    await net[{name}].{entity.one.name}({keys})",
            ],
        )

    def _adapter_test(self, entity: _Entity) -> str:
        name, table = self.module.name, entity.table
        values = ", ".join(stored(c, entity.names[c.name]) for c in table.columns)
        keys = ", ".join(f"row.{n}" for _, n in entity.key)
        lines = [
            f"assert await net[{name}].{entity.one.name}({keys}) == row",
            f"assert await net[{name}].{entity.many.name}(limit=1) == Page((row,))",
        ]
        made = [
            f"def test_{entity.snake}_is_read_from_its_table(tmp_path: Path) -> None:",
            "    async def scenario() -> None:",
            f"        (row,) = Fake{name}().{entity.snake}_rows",
            '        db = Database(f"sqlite:{tmp_path}/test.db")',
            f"        async with testing.network(Sql{name}, resources={{{quoted(self.resource)}: db}}) as net:",
            "            async with db.begin() as tx:",
            _statement("create", self.dialect.create(table), " " * 16),
            "                await tx.execute(create)",
            _statement("insert", self.dialect.insert(table), " " * 16),
            laid_out(f"await tx.execute(insert, {values})", " " * 16),
            *(laid_out(line, " " * 12) for line in lines),
            "",
            "    asyncio.run(scenario())",
        ]
        return "\n".join(made)

    def _real(self) -> str:
        name = self.module.name
        variable = self.reference.removeprefix("env:")
        checks = "\n".join(
            laid_out(f"assert len((await net[{name}].{e.many.name}(limit=1)).items) <= 1", " " * 12)
            for e in self.entities
        )
        given = f"resources={{{quoted(self.resource)}: db}}"
        return f"""@pytest.mark.skipif("{variable}" not in os.environ, reason="{variable} names no database")
def test_the_real_tables_are_there() -> None:
    async def scenario() -> None:
        db = Database("{self.reference}")
        async with testing.network(Sql{name}, {given}) as net:
{checks}

    asyncio.run(scenario())"""


def _constant(name: str, text: str) -> str:
    return _statement(name, text, "")


def _statement(name: str, text: str, indent: str) -> str:
    """An assignment of a text, on several lines where it is long."""
    if len(line := f"{indent}{name} = {quoted(text)}") <= WIDTH:
        return line
    inner = indent + "    "
    lines: list[str] = [""]
    for word in re.findall(r"\S+\s*", text):
        if len(inner) + len(quoted(lines[-1] + word)) > WIDTH and lines[-1]:
            lines.append("")
        lines[-1] += word
    return f"{indent}{name} = (\n" + "\n".join(inner + quoted(each) for each in lines) + f"\n{indent})"
