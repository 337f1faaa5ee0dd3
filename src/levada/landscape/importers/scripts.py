"""Crontabs and shell scripts: curl, sftp, psql and their like, and when they run."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import takewhile

from msgspec import Struct, structs

from levada.landscape._clients import client_alias
from levada.landscape.importers._address import Address, addresses, is_local, node_of_host
from levada.landscape.importers._cron import condition_before, dated, longest_pause
from levada.landscape.importers._settings import expand
from levada.landscape.importers._shell import Line, commands, logical_lines
from levada.landscape.importers._sql import tables_in
from levada.landscape.importers.protocol import Context, Item, SourceFile, Verified
from levada.network.graph import Evidence, Flow, Kind, Mode, Node
from levada.network.names import slug

__all__ = ["Scripts"]

_CRON = re.compile(
    r"^\s*(@(?:hourly|daily|weekly|monthly|yearly|annually|midnight|reboot)|(?:[\d*/,A-Za-z#L?-]+\s+){4}[\d*/,A-Za-z#L?-]+)\s+(\S.*)$"
)
_ASSIGN = re.compile(r"^\s*(?:export\s+|local\s+|readonly\s+)?([A-Za-z_]\w*)=(.*)$")
_SOURCED = re.compile(r"^\s*(?:\.|source)\s+((?:\"[^;|&]*\"|[^\s;|&])+)\s*(?:[#;|&].*)?$")
_TOOL = re.compile(r"(?<![\w./-])(?:[\w./-]*/)?(curl|wget|http|https|sftp|scp|rsync|lftp|ftp|ssh|psql|pg_dump|mysql|mysqldump|"
                   r"sqlplus|sqlcmd|bcp|mongosh?|mongodump|redis-cli|kafka-console-producer|kafka-console-consumer|kcat|kafkacat|"
                   r"smbclient|aws|gsutil|az|mailx?|sendmail|nc|ldapsearch)(?:\.sh)?(?=\s|$)")  # fmt: skip
_REMOTE = re.compile(
    r"(?<![\w/])(?:[\w.-]+@)?((?:[A-Za-z0-9_](?:[\w-]*\.)+[A-Za-z][\w-]*)|[A-Za-z][\w-]*|\d+\.\d+\.\d+\.\d+):(?!//)(\S*)"
)
_AT = re.compile(r"(?<!\S)(?:[\w.$-]+(?::[^\s@]*)?@)([A-Za-z0-9][\w.-]*)")
_CHANGES = r"\b(?:insert\s+into|update|delete\s+from|merge\s+into|truncate(?:\s+table)?)\s+\"?TABLE\b|\bcopy\s+\"?TABLE\b[^;]*\bfrom\b"
_STORES = {"s3": ("aws-s3", "Amazon S3"), "gs": ("google-storage", "Google Cloud Storage")}
_SENDS = re.compile(
    r"(?<!\S)(?:-d|--data[a-z-]*|--json|-F|--form|-T|--upload-file|--post-data|--post-file|(?:-X|--request|--method)[ =]?(?:POST|PUT|PATCH|DELETE))(?=[\s='\"@]|$)"
)
"""Options with which a call changes something, or may (SOAP asks with POST too)."""
_SQL_TOOLS: dict[str, str] = {
    "psql": "postgres", "pg_dump": "postgres", "mysql": "mysql", "mysqldump": "mysql", "sqlplus": "oracle", "sqlcmd": "mssql",
    "bcp": "mssql", "mongo": "mongodb", "mongosh": "mongodb", "mongodump": "mongodb", "redis-cli": "redis",
}  # fmt: skip


class _Script(Struct):
    """A file whose commands reach out, and what they say of it."""

    key: str
    """``script/NAME``; its id, unless another of that name says something else."""
    source: str
    digest: str
    items: list[Node | Flow]
    dated: str
    """What its schedules are to be marked with, as it looks at the date."""


class _Run(Struct, frozen=True):
    """A line of a crontab that runs scripts."""

    crontab: SourceFile
    command: str
    schedule: str
    evidence: Evidence


class Scripts:
    """A script is an application; a crontab is one where its commands do the work themselves.

    Two files of one name are two of them, told apart by their folders, unless one is a copy of the other.
    """

    name = "scripts"
    formats: tuple[str, ...] = ("crontabs", "shell scripts")
    verified: Verified = "on real exports"

    def __init__(self) -> None:
        self._runs: list[_Run] = []
        self._scripts: list[_Script] = []

    def recognise(self, file: SourceFile) -> float:
        """A shebang, a suffix, or cron's five fields."""
        if _is_script(file):
            return 0.8 if _TOOL.search(file.head) or file.size > 16_000 or "curl" in file.head else 0.4
        if "cron" in file.name.lower() or "/cron" in f"/{file.source}":
            lines = [x for x in file.head.splitlines() if x.strip() and not x.lstrip().startswith("#")]
            return 0.9 if any(_CRON.match(x) for x in lines) else 0.0
        return 0.0

    def read(self, file: SourceFile, context: Context) -> Iterable[Item]:
        """Commands that reach out, variables of the script and of files it sources filled in."""
        cron = _is_crontab(file)
        stem = slug(re.sub(r"\.(sh|bash|ksh|cron|tab)$", "", file.name)).replace("/", "-")
        me = f"{'cron' if cron else 'script'}/{stem}"
        values: dict[str, str] = {}
        script: _Script | None = None
        for line in logical_lines(file):
            if _sets(line.text, values):
                continue
            sourced = _SOURCED.match(line.text)
            if sourced:
                values.update(_settings_of(_beside(file, expand(sourced[1], values), context)))
                continue
            found = _CRON.match(line.text) if cron else None
            seen = context.at(file, line.number)
            text = Line(
                line.number, expand(found[2] if found else line.text, values), expand(line.body, values)
            )
            items: list[Item] = []
            for part in commands(text):
                new = list(_command(me, part, values, seen))
                if found and new:
                    at = text.text.find(part.strip())
                    tool = _TOOL.search(text.text, at) if at >= 0 else None
                    before = text.text[: tool.start()] if tool else text.text
                    new = [self._scheduled(i, found[1] + condition_before(before)) for i in new]
                items += new
            if found:
                self._runs.append(_Run(file, found[2], found[1], seen[0]))
            if items and script is None:
                digest = hashlib.sha256(file.text.encode("utf-8", "replace")).hexdigest()
                node = Node(
                    id=me,
                    name=file.name,
                    kind="app",
                    attributes={"tool": "script"},
                    evidence=context.at(file, 1),
                )
                script = _Script(me, file.source, digest, [node], "" if cron else dated(file.text))
                self._scripts.append(script)
            for item in items:
                if script is not None and (
                    isinstance(item, Flow) or (isinstance(item, Node) and item.id == me)
                ):
                    script.items.append(item)
                else:
                    yield item

    @staticmethod
    def _scheduled(item: Item, schedule: str) -> Item:
        if isinstance(item, Flow):
            mode: Mode = "batch" if item.mode == "sync" else item.mode
            pauses = [longest_pause(s) for s in schedule.split(" | ")]
            known = [p for p in pauses if p is not None]
            period = {"period_s": max(known)} if len(known) == len(pauses) else {}
            return structs.replace(
                item, mode=mode, attributes={**item.attributes, "schedule": schedule, **period}
            )
        return item

    def finish(self, context: Context) -> Iterable[Item]:
        """Scripts and flows; those of a script that a crontab runs are batches, with the crontab as evidence too."""
        ids = _told_apart(self._scripts)
        schedules = self._schedules(ids, context)
        flows: list[Flow] = []
        for script in self._scripts:
            me = ids[script.source]
            for item in script.items:
                if isinstance(item, Node):
                    yield structs.replace(item, id=me)
                else:
                    flows.append(structs.replace(item, consumer=me))
        for flow in _tables_first(flows):
            schedule = schedules.get(flow.consumer)
            if schedule:
                scheduled = self._scheduled(flow, schedule[0])
                assert isinstance(scheduled, Flow)
                yield structs.replace(scheduled, evidence=(*flow.evidence, schedule[1]))
            else:
                yield flow

    def _schedules(self, ids: Mapping[str, str], context: Context) -> dict[str, tuple[str, Evidence]]:
        """The schedules of each script that a crontab runs, with the place of the rarest."""
        by_key: dict[str, list[str]] = {}
        for script in self._scripts:
            by_key.setdefault(script.key, []).append(script.source)
        found: dict[str, list[tuple[str, Evidence]]] = {}
        for run in self._runs:
            for match in re.finditer(
                r"((?:[^\s'\";|&()]{0,250}/)?([\w.-]+)\.(?:sh|bash|ksh))\b", run.command
            ):
                sources = by_key.get(f"script/{slug(match[2])}", ())
                told = run.schedule + condition_before(run.command[: match.start()])
                for me in {ids[s] for s in _meant(match[1], sources, run.crontab, context)}:
                    found.setdefault(me, []).append((told, run.evidence))
        for script in self._scripts:
            by_folder = re.search(r"(?:^|/)cron\.(hourly|daily|weekly|monthly)/[^/]+\Z", script.source)
            if by_folder:
                place = Evidence(script.source, 1, importer=context.importer or None)
                found.setdefault(ids[script.source], []).append((f"@{by_folder[1]}", place))
        marks = {ids[s.source]: s.dated for s in self._scripts if s.dated}
        out: dict[str, tuple[str, Evidence]] = {}
        for me, runs in found.items():
            rarest = runs[0]
            for run in runs[1:]:
                rarest = run if _rarer(run[0], rarest[0]) else rarest
            schedules = dict.fromkeys(s + marks.get(me, "") for s, _ in runs)
            out[me] = (" | ".join(schedules), rarest[1])
        return out


def _is_script(file: SourceFile) -> bool:
    if file.name in ("mvnw", "gradlew"):
        return False  # they fetch the build tool itself
    return file.suffix in (".sh", ".bash", ".ksh") or bool(re.match(r"#!.*\b(ba|k|z|da)?sh\b", file.head))


def _is_crontab(file: SourceFile) -> bool:
    """By its own name or, but for scripts, its folder's."""
    if _is_script(file):
        return "cron" in file.name.lower() and any(
            _CRON.match(x) and x[0] in "@*0123456789" for x in file.head.splitlines()
        )
    return "cron" in file.name.lower() or "/cron" in f"/{file.source}"


def _told_apart(scripts: Iterable[_Script]) -> dict[str, str]:
    """The id of each file: its name, with the folders that tell it apart from others of that name and other content."""
    named: dict[str, dict[str, list[str]]] = {}
    for script in scripts:
        named.setdefault(script.key, {}).setdefault(script.digest, []).append(script.source)
    out: dict[str, str] = {}
    for key, contents in named.items():
        firsts = {digest: min(sources) for digest, sources in contents.items()}
        ids = [key] if len(firsts) == 1 else _with_folders(key, firsts)
        for sources, me in zip(contents.values(), ids, strict=True):
            out |= dict.fromkeys(sources, me)
    return out


def _with_folders(key: str, firsts: Mapping[str, str]) -> list[str]:
    kind, _, stem = key.partition("/")
    folders = [source.split("/")[:-1] for source in firsts.values()]
    alike = _begin_alike(folders)
    folders = [f[alike:] for f in folders]
    alike = _begin_alike([f[::-1] for f in folders])
    before = ["/".join((kind, *(slug(p) for p in f[: len(f) - alike]), "")) for f in folders]
    # In one folder the suffixes differ, or what an id keeps of the names does not.
    files = [slug(source.rpartition("/")[2]) for source in firsts.values()]
    for names in ([stem] * len(before), files, [f"{stem}-{digest[:8]}" for digest in firsts]):
        ids = [b + n for b, n in zip(before, names, strict=True)]
        if len(set(ids)) == len(ids):
            break
    return ids


def _meant(path: str, sources: Sequence[str], crontab: SourceFile, context: Context) -> Iterable[str]:
    """Which of these files a crontab means by a path: the one at its place, else those whose path is most alike."""
    beside = _beside(crontab, path, context)
    if beside is not None:
        return [beside.source] if beside.source in sources else ()
    near: dict[tuple[int, int], list[str]] = {}
    for source in sources:
        parts = source.split("/")
        ends = _begin_alike([path.split("/")[::-1], parts[::-1]])
        near.setdefault((ends, _begin_alike([crontab.source.split("/"), parts])), []).append(source)
    return near[max(near)] if near else ()


def _begin_alike(paths: Iterable[Sequence[str]]) -> int:
    """How many first parts all have in common."""
    return sum(1 for _ in takewhile(lambda parts: len(set(parts)) == 1, zip(*paths, strict=False)))


def _rarer(one: str, other: str) -> bool:
    """Whether the first leaves longer pauses: of two schedules of a script nobody knows which does what."""
    never = float("inf")
    a, b = longest_pause(one), longest_pause(other)
    return (never if a is None else a) > (never if b is None else b)


def _tables_first(flows: list[Flow]) -> Iterator[Flow]:
    """A command whose tables are not known adds its place to the flows of those that are, and no flow of its own."""
    known: dict[tuple[str, str], list[str]] = {}
    for flow in flows:
        if flow.mode == "db" and "database" not in flow.attributes:
            known.setdefault((flow.consumer, flow.provider), []).append(flow.id)
    more: dict[str, tuple[Evidence, ...]] = {}
    for flow in flows:
        if "database" in flow.attributes:
            for other in known.get((flow.consumer, flow.provider), ()):
                more[other] = (*more.get(other, ()), *flow.evidence)
    for flow in flows:
        if "database" not in flow.attributes:
            yield structs.replace(
                flow, evidence=tuple(dict.fromkeys((*flow.evidence, *more.get(flow.id, ()))))
            )
        elif (flow.consumer, flow.provider) not in known:
            attributes = {n: v for n, v in flow.attributes.items() if n != "database"}
            yield structs.replace(flow, attributes=attributes)


def _sets(text: str, values: dict[str, str]) -> bool:
    """Whether the line only sets a variable; it is set then."""
    assigned = _ASSIGN.match(text)
    if not assigned or _TOOL.search(assigned[2].partition("$(")[2]):
        return False
    value = assigned[2].strip()
    whole = re.fullmatch(r"\"([^\"]*)\"|'([^']*)'|([^\s;|&]*)(?:\s+#.*)?", value, re.DOTALL)
    if whole is None and not value.startswith(("$(", "`", '"', "'")):
        return False  # NAME=value command …
    values[assigned[1]] = expand(
        next((g for g in whole.groups() if g), "") if whole else value.strip("\"'"), values
    )
    return True


def _beside(file: SourceFile, path: str, context: Context) -> SourceFile | None:
    """The file that a script names, seen from the script's folder."""
    name = re.sub(r"^(?:\$\([^)]*\)|`[^`]*`|\$\{?\w+\}?)/", "", path.strip("\"'"))
    parts = file.source.split("/")[:-1]
    for part in name.split("/"):
        parts = parts[:-1] if part == ".." else parts if part in (".", "") else [*parts, part]
    return context.files.get("/".join(parts))


def _settings_of(file: SourceFile | None) -> dict[str, str]:
    values: dict[str, str] = {}
    if file is not None and file.size < 1_000_000:
        for line in logical_lines(file):
            _sets(line.text, values)
    return values


def _command(me: str, part: str, values: Mapping[str, str], evidence: tuple[Evidence, ...]) -> Iterator[Item]:
    tool = _TOOL.search(part)
    before = part[: tool.start()] if tool else ""
    if tool and not re.search(r"\b(echo|which|command -v|install|apt|yum|brew|type|printf|man)\b", before):
        yield from _use(me, tool[1], part[tool.end() :], before, values, evidence)


def _use(
    me: str, tool: str, rest: str, before: str, values: Mapping[str, str], evidence: tuple[Evidence, ...]
) -> Iterator[Item]:
    if tool in ("curl", "wget", "http", "https"):
        yield from _http(me, rest, evidence)
    elif tool in _SQL_TOOLS:
        yield from _sql(me, tool, rest, before, values, evidence)
    elif tool in ("sftp", "scp", "rsync", "lftp", "ftp", "ssh", "smbclient"):
        yield from _files(me, tool, rest, evidence)
    elif tool.startswith(("kafka", "kcat")):
        yield from _kafka(me, rest, evidence)
    elif tool in ("aws", "gsutil", "az"):
        yield from _bucket(me, rest, evidence)
    elif tool == "ldapsearch":
        for address in addresses(rest, "URL"):
            yield from _to(me, address, "sync", "ldap", None, evidence)


def _http(me: str, rest: str, evidence: tuple[Evidence, ...]) -> Iterator[Item]:
    yield from _known_as(me, rest, evidence)
    writes = bool(_SENDS.search(rest))
    for address in addresses(rest, "URL"):
        file = address.scheme in ("ftp", "sftp", "ftps")
        mode, protocol = ("file", address.scheme) if file else ("sync", "http")
        yield from _to(me, address, mode, protocol, _path(address), evidence, writes=writes)
        return
    bare = re.search(r"(?<!\S)([a-z0-9-]+(?:\.[a-z0-9-]+)+(?::\d+)?)(/\S*)?", rest)
    if bare and not re.search(r"\.(json|xml|csv|txt|sh|gz|zip|html|pem|crt|log)$", bare[1]):
        address = Address(bare[1].partition(":")[0])
        yield from _to(me, address, "sync", "http", bare[2], evidence, writes=writes)


def _kafka(me: str, rest: str, evidence: tuple[Evidence, ...]) -> Iterator[Item]:
    server = re.search(r"(?:--bootstrap-server|--broker-list|-b)[ =](\S+)", rest)
    topic = re.search(r"(?:--topic|-t)[ =](\S+)", rest)
    # The servers of one list are one cluster.
    for address in list(addresses(server[1], "BROKERS"))[:1] if server else ():
        yield from _to(me, address, "async", "kafka", topic[1] if topic else None, evidence, kind="broker")


def _bucket(me: str, rest: str, evidence: tuple[Evidence, ...]) -> Iterator[Item]:
    bucket = re.search(r"\b(s3|gs)://([\w.-]+)(/\S*)?", rest)
    if bucket:
        id_, name = _STORES[bucket[1]]
        yield Node(id=id_, name=name, kind="saas", evidence=evidence)
        yield Flow(
            consumer=me, provider=id_, object=bucket[2], mode="file", protocol=bucket[1], evidence=evidence
        )


def _known_as(me: str, rest: str, evidence: tuple[Evidence, ...]) -> Iterator[Item]:
    """The names under which the other side knows the caller: the user it signs in as, the agent it says it is."""
    user = re.search(r"(?<!\S)(?:-u|--user)[ =]?[\"']?([\w.-]+):", rest)
    agent = re.search(r"(?<!\S)(?:-A|--user-agent)[ =]?[\"']?([A-Za-z][\w.-]*)", rest)
    names = tuple(client_alias(found[1]) for found in (user, agent) if found)
    if names:
        yield Node(id=me, aliases=names, evidence=evidence)


def _sql(
    me: str, tool: str, rest: str, before: str, values: Mapping[str, str], evidence: tuple[Evidence, ...]
) -> Iterator[Item]:
    protocol = _SQL_TOOLS[tool]
    around = values if protocol == "postgres" else {}
    host = re.search(
        r"(?:(?<!\S)-h[ =]?|--host[ =]|(?<!\S)-S[ =]?|\bhost=)[\"']?([A-Za-z0-9][\w.-]*)", rest
    ) or re.search(r"\bPGHOST=(\S+)", f"{before} PGHOST={around['PGHOST']}" if "PGHOST" in around else before)
    database = re.search(
        r"(?:(?<!\S)-d[ =]?|--dbname[ =]|--database[ =]|\bdbname=)[\"']?([A-Za-z_][\w-]*)", rest
    )
    name = database[1] if database else around.get("PGDATABASE")
    address = next((a for a in addresses(rest, "URL") if a.how[0] == "db"), None)
    if address is None and host:
        address = Address(host[1].lower(), None, protocol, None, name)
    if address is None and protocol == "oracle":
        found = re.search(r"@/{0,2}([A-Za-z0-9][\w.-]*)(?::\d+)?(?:/(\w+))?", rest)
        address = Address(found[1].lower(), None, "oracle", None, found[2]) if found else None
    if address is None or is_local(address.host) or "$" in address.host:
        return
    # The shell's quotes around a statement are not the statement's own.
    statement = re.sub(r"(?<!\S)(-[ceQ]|--command|--execute)[ =]?'([^']*)'", r"\1 \2", rest)
    tables = tables_in(re.sub(r"\\copy\b", "copy", statement))[:20]
    for what in tables or [address.database]:
        writes = bool(
            what and re.search(_CHANGES.replace("TABLE", re.escape(what)), statement, re.IGNORECASE)
        )
        for item in _to(me, address, "db", protocol, what, evidence, writes=writes):
            if isinstance(item, Flow) and not tables:
                yield structs.replace(item, attributes={**item.attributes, "database": what})
            else:
                yield item


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
    *, kind: Kind | None = None, writes: bool = False,
) -> Iterator[Item]:  # fmt: skip
    if is_local(address.host) or "$" in address.host:
        return
    node = node_of_host(address.host, evidence)
    yield Node(id=node.id, name=node.name, kind=node.kind or kind, aliases=node.aliases, evidence=evidence)
    attributes = {"writes": True} if writes else {}
    yield Flow(
        consumer=me, provider=node.id, object=what, mode=mode, protocol=protocol, evidence=evidence, attributes=attributes
    )  # fmt: skip
