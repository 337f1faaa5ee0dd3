"""Crontabs and shell scripts: curl, sftp, psql and their like, and when they run."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from levada.landscape.importers._address import Address, addresses, is_local, node_of_host
from levada.landscape.importers._settings import expand
from levada.landscape.importers._sql import tables_in
from levada.landscape.importers.protocol import Context, Item, SourceFile, Verified
from levada.network.graph import Evidence, Flow, Kind, Mode, Node
from levada.network.names import slug

__all__ = ["Scripts"]

_CRON = re.compile(
    r"^\s*(@(?:hourly|daily|weekly|monthly|yearly|annually|midnight|reboot)|(?:[\d*/,A-Za-z#L?-]+\s+){4}[\d*/,A-Za-z#L?-]+)\s+(\S.*)$"
)
_ASSIGN = re.compile(r"^\s*(?:export\s+|local\s+|readonly\s+)?([A-Za-z_]\w*)=(.*)$")
_TOOL = re.compile(r"(?<![\w./-])(?:[\w./-]*/)?(curl|wget|http|https|sftp|scp|rsync|lftp|ftp|ssh|psql|pg_dump|mysql|mysqldump|"
                   r"sqlplus|sqlcmd|bcp|mongosh?|mongodump|redis-cli|kafka-console-producer|kafka-console-consumer|kcat|kafkacat|"
                   r"smbclient|aws|gsutil|az|mailx?|sendmail|nc|ldapsearch)(?:\.sh)?(?=\s|$)")  # fmt: skip
_REMOTE = re.compile(
    r"(?<![\w/])(?:[\w.-]+@)?((?:[A-Za-z0-9_](?:[\w-]*\.)+[A-Za-z][\w-]*)|[A-Za-z][\w-]*|\d+\.\d+\.\d+\.\d+):(?!//)(\S*)"
)
_AT = re.compile(r"(?<!\S)(?:[\w.$-]+(?::[^\s@]*)?@)([A-Za-z0-9][\w.-]*)")
_SQL_TOOLS: dict[str, str] = {
    "psql": "postgres", "pg_dump": "postgres", "mysql": "mysql", "mysqldump": "mysql", "sqlplus": "oracle", "sqlcmd": "mssql",
    "bcp": "mssql", "mongo": "mongodb", "mongosh": "mongodb", "mongodump": "mongodb", "redis-cli": "redis",
}  # fmt: skip


class Scripts:
    """A script is an application; a crontab is one where its commands do the work themselves."""

    name = "scripts"
    formats: tuple[str, ...] = ("crontabs", "shell scripts")
    verified: Verified = "from the specification"

    def __init__(self) -> None:
        self._schedules: dict[str, tuple[str, Evidence]] = {}
        self._flows: list[Flow] = []

    def recognise(self, file: SourceFile) -> float:
        """A shebang, a suffix, or cron's five fields."""
        if file.suffix in (".sh", ".bash", ".ksh") or re.match(r"#!.*\b(ba|k|z|da)?sh\b", file.head):
            return 0.8 if _TOOL.search(file.head) or file.size > 16_000 or "curl" in file.head else 0.4
        if "cron" in file.name.lower() or "/cron" in f"/{file.source}":
            lines = [x for x in file.head.splitlines() if x.strip() and not x.lstrip().startswith("#")]
            return 0.9 if any(_CRON.match(x) for x in lines) else 0.0
        return 0.0

    def read(self, file: SourceFile, context: Context) -> Iterable[Item]:
        """Commands that reach out, variables of the script filled in; heredocs belong to their command."""
        cron = "cron" in file.name.lower() or "/cron" in f"/{file.source}"
        stem = slug(re.sub(r"\.(sh|bash|ksh|cron|tab)$", "", file.name)).replace("/", "-")
        me = f"{'cron' if cron else 'script'}/{stem}"
        values: dict[str, str] = {}
        used = False
        for number, line in _logical(file):
            assigned = _ASSIGN.match(line)
            if assigned and not _TOOL.search(line.partition("$(")[2] or ""):
                values[assigned[1]] = expand(assigned[2].strip().strip("\"'"), values)
                continue
            found = _CRON.match(line) if cron else None
            command = expand(found[2] if found else line, values)
            items = list(_command(me, command, context.at(file, number)))
            if found:
                items = [self._scheduled(i, found[1]) for i in items]
                self._script(found[2], found[1], context.at(file, number)[0])
            if items and not used:
                used = True
                yield Node(
                    id=me,
                    name=file.name,
                    kind="app",
                    attributes={"tool": "script"},
                    evidence=context.at(file, 1),
                )
            for item in items:
                if isinstance(item, Flow):
                    self._flows.append(item)
                else:
                    yield item

    @staticmethod
    def _scheduled(item: Item, schedule: str) -> Item:
        from msgspec import structs

        if isinstance(item, Flow):
            mode: Mode = "batch" if item.mode == "sync" else item.mode
            return structs.replace(item, mode=mode, attributes={**item.attributes, "schedule": schedule})
        return item

    def _script(self, command: str, schedule: str, evidence: Evidence) -> None:
        for name in re.findall(r"([\w.-]+)\.(?:sh|bash|ksh)\b", command):
            self._schedules[f"script/{slug(name)}"] = (schedule, evidence)

    def finish(self, _context: Context) -> Iterable[Item]:
        """Flows; those of a script that a crontab runs are batches, with the crontab as evidence too."""
        from msgspec import structs

        for flow in self._flows:
            schedule = self._schedules.get(flow.consumer)
            if schedule:
                scheduled = self._scheduled(flow, schedule[0])
                assert isinstance(scheduled, Flow)
                yield structs.replace(scheduled, evidence=(*flow.evidence, schedule[1]))
            else:
                yield flow


def _logical(file: SourceFile) -> Iterator[tuple[int, str]]:
    """Lines joined over backslashes and heredocs, without comments, under the number of their first."""
    held, start, until = "", 0, None
    for number, line in file.lines():
        if until is not None:
            if line.strip() == until:
                yield start, held
                held, until = "", None
            elif len(held) < 20_000:
                held += "\n" + line
            continue
        if not held and (not line.strip() or line.lstrip().startswith("#")):
            continue
        start = start if held else number
        held = f"{held} {line.strip()}" if held else line
        heredoc = re.search(r"<<-?\s*[\"']?([A-Za-z_]\w*)[\"']?", line)
        if heredoc:
            until = heredoc[1]
        elif held.endswith("\\"):
            held = held[:-1]
        else:
            yield start, held
            held = ""
    if held:
        yield start, held


def _command(me: str, command: str, evidence: tuple[Evidence, ...]) -> Iterator[Item]:
    for part in re.split(r"(?<!\\)(?:\|\||&&|;(?!;)|\|(?!\|)|`|\$\()", command):
        tool = _TOOL.search(part)
        before = part[: tool.start()] if tool else ""
        if tool and not re.search(
            r"\b(echo|which|command -v|install|apt|yum|brew|type|printf|man)\b", before
        ):
            yield from _use(me, tool[1], part[tool.end() :], before, evidence)


def _use(me: str, tool: str, rest: str, before: str, evidence: tuple[Evidence, ...]) -> Iterator[Item]:
    if tool in ("curl", "wget", "http", "https"):
        for address in addresses(rest, "URL"):
            file = address.scheme in ("ftp", "sftp", "ftps")
            yield from _to(
                me,
                address,
                "file" if file else "sync",
                address.scheme if file else "http",
                _path(address),
                evidence,
            )
            return
        bare = re.search(r"(?<!\S)([a-z0-9-]+(?:\.[a-z0-9-]+)+(?::\d+)?)(/\S*)?", rest)
        if bare and not re.search(r"\.(json|xml|csv|txt|sh|gz|zip|html|pem|crt|log)$", bare[1]):
            yield from _to(me, Address(bare[1].partition(":")[0]), "sync", "http", bare[2], evidence)
    elif tool in _SQL_TOOLS:
        yield from _sql(me, tool, rest, before, evidence)
    elif tool in ("sftp", "scp", "rsync", "lftp", "ftp", "ssh", "smbclient"):
        yield from _files(me, tool, rest, evidence)
    elif tool.startswith(("kafka", "kcat")):
        server = re.search(r"(?:--bootstrap-server|--broker-list|-b)[ =](\S+)", rest)
        topic = re.search(r"(?:--topic|-t)[ =](\S+)", rest)
        for address in addresses(server[1], "BROKERS") if server else ():
            yield from _to(
                me, address, "async", "kafka", topic[1] if topic else None, evidence, kind="broker"
            )
            return
    elif tool in ("aws", "gsutil", "az"):
        bucket = re.search(r"\b(s3|gs)://([\w.-]+)(/\S*)?", rest)
        if bucket:
            name = {"s3": ("aws-s3", "Amazon S3"), "gs": ("google-storage", "Google Cloud Storage")}[
                bucket[1]
            ]
            yield Node(id=name[0], name=name[1], kind="saas", evidence=evidence)
            yield Flow(
                consumer=me,
                provider=name[0],
                object=bucket[2],
                mode="file",
                protocol=bucket[1],
                evidence=evidence,
            )
    elif tool == "ldapsearch":
        for address in addresses(rest, "URL"):
            yield from _to(me, address, "sync", "ldap", None, evidence)


def _sql(me: str, tool: str, rest: str, before: str, evidence: tuple[Evidence, ...]) -> Iterator[Item]:
    protocol = _SQL_TOOLS[tool]
    host = re.search(
        r"(?:(?<!\S)-h[ =]?|--host[ =]|(?<!\S)-S[ =]?|\bhost=)[\"']?([A-Za-z0-9][\w.-]*)", rest
    ) or re.search(r"\bPGHOST=(\S+)", before)
    database = re.search(
        r"(?:(?<!\S)-d[ =]?|--dbname[ =]|--database[ =]|\bdbname=)[\"']?([A-Za-z_][\w-]*)", rest
    )
    address = next((a for a in addresses(rest, "URL") if a.how[0] == "db"), None)
    if address is None and host:
        address = Address(host[1].lower(), None, protocol, None, database[1] if database else None)
    if address is None and protocol == "oracle":
        found = re.search(r"@/{0,2}([A-Za-z0-9][\w.-]*)(?::\d+)?(?:/(\w+))?", rest)
        address = Address(found[1].lower(), None, "oracle", None, found[2]) if found else None
    if address is None or is_local(address.host) or "$" in address.host:
        return
    tables = tables_in(re.sub(r"\\copy\b", "copy", rest))[:20]
    for what in tables or [address.database]:
        yield from _to(me, address, "db", protocol, what, evidence, kind="db")


def _files(me: str, tool: str, rest: str, evidence: tuple[Evidence, ...]) -> Iterator[Item]:
    protocol = {"scp": "sftp", "rsync": "rsync", "lftp": "ftp", "ssh": "ssh", "smbclient": "smb"}.get(
        tool, tool
    )
    mode: Mode = "sync" if tool == "ssh" else "file"
    first = rest.split("\n", 1)[0]
    for address in addresses(first, "URL"):
        yield from _to(me, address, mode, address.scheme or protocol, None, evidence)
        return
    share = re.search(r"//([A-Za-z0-9][\w.-]*)/(\S+)", first) if tool == "smbclient" else None
    remote = share or (None if tool == "ssh" else _REMOTE.search(first))
    if remote:
        path = remote[2].rpartition("/")[0] or None
        yield from _to(
            me,
            Address(remote[1].lower()),
            mode,
            protocol,
            path if path and "$" not in path else None,
            evidence,
        )
        return
    plain = _AT.search(first) or (
        re.search(r"(?<!\S)([a-z0-9-]+(?:\.[a-z0-9-]+)+)(?!\S)", first)
        if tool in ("ftp", "lftp", "sftp")
        else None
    )
    if plain:
        yield from _to(me, Address(plain[1].lower()), mode, protocol, None, evidence)


def _path(address: Address) -> str | None:
    from levada.landscape.importers._observed import normal_path

    path = (address.path or "").partition("?")[0]
    return normal_path(path) if path not in ("", "/") and "$" not in path else None


def _to(
    me: str, address: Address, mode: Mode, protocol: str | None, what: str | None, evidence: tuple[Evidence, ...],
    *, kind: Kind | None = None,
) -> Iterator[Item]:  # fmt: skip
    if is_local(address.host) or "$" in address.host:
        return
    node = node_of_host(address.host, evidence)
    yield Node(id=node.id, name=node.name, kind=node.kind or kind, aliases=node.aliases, evidence=evidence)
    yield Flow(consumer=me, provider=node.id, object=what, mode=mode, protocol=protocol, evidence=evidence)
