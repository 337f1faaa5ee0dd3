"""SQL that reaches into other databases: foreign tables, database links, linked servers, dblink."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from levada.landscape.importers._address import addresses, is_local, node_of_host
from levada.landscape.importers.protocol import Context, Item, SourceFile, Verified
from levada.network.graph import Flow, Node
from levada.network.names import slug

__all__ = ["Sql"]

_SERVER = re.compile(
    r"\bcreate\s+server\s+(?:if\s+not\s+exists\s+)?\"?([\w$]+)\"?.*?foreign\s+data\s+wrapper\s+(\w+)(.*?);",
    re.IGNORECASE | re.DOTALL,
)
_OPTION = re.compile(r"\b(host|dbname|dbserver|servername|database|address|port)\s+'([^']*)'", re.IGNORECASE)
_TABLE = re.compile(
    r"\bcreate\s+foreign\s+table\s+(?:if\s+not\s+exists\s+)?([\w\".$]+).*?\bserver\s+\"?([\w$]+)\"?(.*?);",
    re.IGNORECASE | re.DOTALL,
)
_SCHEMA = re.compile(
    r"\bimport\s+foreign\s+schema\s+\"?([\w$]+)\"?(.*?)from\s+server\s+\"?([\w$]+)\"?",
    re.IGNORECASE | re.DOTALL,
)
_LINK = re.compile(
    r"\bcreate\s+(?:shared\s+)?(?:public\s+)?database\s+link\s+([\w.$\"]+)(.*?)\busing\s+'([^']+)'",
    re.IGNORECASE | re.DOTALL,
)
_LINKED = re.compile(r"\bsp_addlinkedserver\b(.*?)(?:;|\bGO\b|\Z)", re.IGNORECASE | re.DOTALL)
_DBLINK = re.compile(
    r"\bdblink(?:_connect|_exec)?\s*\(\s*(?:'[\w-]+'\s*,\s*)?'([^']*host=[^']*)'", re.IGNORECASE
)
_AT_LINK = re.compile(r"\b([A-Za-z_][\w$.]*)@([A-Za-z_][\w$.]*)")
_WRAPPERS = {
    "postgres_fdw": "postgres",
    "mysql_fdw": "mysql",
    "oracle_fdw": "oracle",
    "tds_fdw": "mssql",
    "mongo_fdw": "mongodb",
}


class Sql:
    """The consumer is the database that the script is for, known by its file alone."""

    name = "sql"
    formats: tuple[str, ...] = (
        "foreign tables and servers",
        "Oracle database links",
        "SQL Server linked servers",
        "dblink",
    )
    verified: Verified = "from the specification"

    def recognise(self, file: SourceFile) -> float:
        """One of the statements stands in the file."""
        if file.suffix not in (".sql", ".ddl", ".pks", ".pkb", ".prc"):
            return 0.0
        text = file.head if file.size > 4_000_000 else file.text
        return (
            0.9
            if re.search(
                r"foreign\s+data\s+wrapper|foreign\s+table|database\s+link|sp_addlinkedserver|\bdblink",
                text,
                re.IGNORECASE,
            )
            else 0.0
        )

    def read(self, file: SourceFile, context: Context) -> Iterable[Item]:
        """A flow for each remote table, or for the link where no table is named."""
        text = re.sub(r"--[^\n]*", lambda m: " " * len(m[0]), file.text)
        stem = re.sub(
            r"[-_.]?(fdw|foreign|links?|schema|tables?|dblinks?)$", "", file.path.stem, flags=re.IGNORECASE
        )
        parent = file.source.rpartition("/")[0].rpartition("/")[2]
        me = slug(stem or parent or file.path.stem)
        yield Node(id=me, name=stem or parent, kind="db", evidence=context.at(file, 1))
        servers = dict(self._servers(text))
        used: set[str] = set()
        for table in _TABLE.finditer(text):
            remote = re.search(r"\btable(?:_name)?\s+'([^']+)'", table[3], re.IGNORECASE)
            used.add(table[2].lower())
            name = remote[1] if remote else table[1].replace('"', "")
            yield from self._flow(
                me, servers.get(table[2].lower()), table[2], name, file, context, text, table.start()
            )
        for schema in _SCHEMA.finditer(text):
            limited = re.search(r"limit\s+to\s*\(([^)]*)\)", schema[2], re.IGNORECASE)
            used.add(schema[3].lower())
            for name in (
                [t.strip().strip('"') for t in limited[1].split(",")] if limited else [f"{schema[1]}.*"]
            ):
                yield from self._flow(
                    me, servers.get(schema[3].lower()), schema[3], name, file, context, text, schema.start()
                )
        links = {f"{s}": v for s, v in servers.items() if v[2] >= 0}
        for remote in _AT_LINK.finditer(text):
            link = remote[2].lower()
            if link in links and not link.startswith("'"):
                used.add(link)
                yield from self._flow(me, links[link], link, remote[1], file, context, text, remote.start())
        for name, target in servers.items():
            if name not in used:
                yield from self._flow(me, target, name, None, file, context, text, max(target[2], 0))

    @staticmethod
    def _servers(text: str) -> Iterator[tuple[str, tuple[str, str, int]]]:
        for found in _SERVER.finditer(text):
            options = {k.lower(): v for k, v in _OPTION.findall(found[3])}
            host = (
                options.get("host")
                or options.get("servername")
                or options.get("address")
                or options.get("dbserver", "").lstrip("/").partition(":")[0].partition("/")[0]
            )
            yield found[1].lower(), (host, _WRAPPERS.get(found[2].lower(), found[2].lower()), found.start())
        for found in _LINK.finditer(text):
            tns = re.search(r"HOST\s*=\s*([\w.-]+)", found[3], re.IGNORECASE)
            plain = re.match(r"/{0,2}([\w.-]+?)(?::\d+)?(?:/\w+)?$", found[3].strip())
            yield (
                found[1].lower().replace('"', ""),
                (tns[1] if tns else plain[1] if plain else found[3], "oracle", found.start()),
            )
        for found in _LINKED.finditer(text):
            named = dict(re.findall(r"@(\w+)\s*=\s*N?'([^']*)'", found[1]))
            parts = re.findall(r"N?'([^']*)'", found[1])
            server = named.get("server") or (parts[0] if parts else "")
            if server:
                yield server.lower(), (named.get("datasrc") or server, "mssql", found.start())
        for found in _DBLINK.finditer(text):
            for address in addresses(found[1], "HOST"):
                yield f"dblink:{address.host}", (address.host, "postgres", found.start())

    @staticmethod
    def _flow(
        me: str, target: tuple[str, str, int] | None, server: str, table: str | None, file: SourceFile, context: Context,
        text: str, at: int,
    ) -> Iterator[Item]:  # fmt: skip
        line = text.count("\n", 0, at + len(text[at:]) - len(text[at:].lstrip())) + 1
        if target is None:
            yield context.finding(
                "unresolved-server", f"{me}: no server is called {server!r} in this file", file, line
            )
            return
        host, protocol, _ = target
        if not host or is_local(host):
            node = Node(id=slug(server), name=server, kind="db")
        else:
            known = node_of_host(host.lower())
            node = Node(id=known.id, name=known.name, kind="db", aliases=known.aliases)
        if node.id == me:
            return
        yield Node(
            id=node.id, name=node.name, kind="db", aliases=node.aliases, evidence=context.at(file, line)
        )
        yield Flow(
            consumer=me,
            provider=node.id,
            object=table,
            mode="db",
            protocol=protocol,
            evidence=context.at(file, line),
        )
