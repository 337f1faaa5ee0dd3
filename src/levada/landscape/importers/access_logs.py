"""Access logs of nginx, Apache, Envoy and Kong: who called whom, how often, with how many errors."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any

from levada.landscape._clients import client_alias
from levada.landscape.importers._observed import MAX_KEYS, MEMORY, Counter, normal_path
from levada.landscape.importers._redact import secret_parameters
from levada.landscape.importers.protocol import Context, Item, SourceFile, Verified
from levada.landscape.words import many
from levada.network.graph import Flow, Node
from levada.network.names import slug

__all__ = ["AccessLogs"]

_COMMON = re.compile(
    r'^(?P<ip>\S+) \S+ (?P<user>\S+) \[(?P<time>[^\]]+)\] "(?P<method>[A-Z]+) (?P<path>\S+)[^"]*" (?P<status>\d{3}) \S+'
    r'(?: "[^"]*" "(?P<agent>[^"]*)")?'
)
_ODD = re.compile(
    r'^(?:(?P<vhost>[A-Za-z][\w.-]*):\d+ )?(?P<ip>[^\s,]+)(?:, ?[^\s,]+)* \S+ (?P<user>[^\["]+?) \[(?P<time>[^\]]+)\] '
    r'"(?P<method>[A-Z]+) (?P<path>\S+)[^"]*" (?P<status>\d{3}) \S+(?: "[^"]*" "(?P<agent>[^"]*)")?'
)
"""The same with the virtual host before it (Apache), several addresses (X-Forwarded-For), or a user's name with spaces."""
_ROTATED = re.compile(r"\.log[.-]\d[\d.-]*(\.gz)?$")
_ENVOY = re.compile(
    r'^\[(?P<time>\d{4}-\d\d-\d\dT[^\]]+)\] "(?P<method>[A-Z]+) (?P<path>\S+) [^"]*" (?P<status>\d{1,3}) .*?'
    r'"(?P<ip>[^"]*)" "(?P<agent>[^"]*)" "[^"]*" "(?P<host>[^"]*)" "(?P<upstream>[^"]*)"'
)
_LIBRARY = re.compile(
    r"^(mozilla|opera|curl|wget|python|java|okhttp|go-http|apache-http|axios|node|libwww|ruby|php|guzzle|postman|insomnia|"
    r"aiohttp|httpx|requests|dart|undici|kube-probe|googlehc|elb-health|-|$)", re.IGNORECASE,
)  # fmt: skip


class AccessLogs:
    """Streamed, whatever their size. A caller is its user, else an agent of its own name, else its address."""

    name = "access-log"
    formats: tuple[str, ...] = (
        "nginx and Apache common/combined logs",
        "Envoy's default log",
        "JSON lines (Kong, nginx, Envoy)",
    )
    verified: Verified = "from the specification"

    def __init__(self) -> None:
        self._calls = Counter(self.name)
        self._names: dict[str, str] = {}

    def recognise(self, file: SourceFile) -> float:
        """The first lines have a log's form."""
        known = file.suffix in (".log", ".gz", ".json", ".jsonl", ".txt", ".1", "")
        if not known and not _ROTATED.search(file.name):
            return 0.0
        for line in file.head.split("\n")[:3]:
            if _COMMON.match(line) or _ENVOY.match(line) or _ODD.match(line):
                return 0.95
            if line.startswith("{") and _json(line) is not None:
                return 0.85
        return 0.0

    def read(self, file: SourceFile, context: Context) -> Iterable[Item]:
        """Counts; the flows follow at the end, so that logs of several files add up."""
        provider = _name_of(file)
        skipped = 0
        first = None
        secrets: dict[str, list[int]] = {}
        for number, line in file.lines():
            if found := _COMMON.match(line):
                ip, user, time, path, status, agent = found.group(1, 2, 3, 5, 6, 7)
                if "?" in path or ";" in path:  # a million calls of a function are what a log costs
                    _note(secrets, path, number)
                self._add(
                    file.source, number, (user, agent or "", ip), provider, path, int(status), time, provider
                )
                continue
            if odd := _ODD.match(line):
                at = odd.groupdict()
                host = f"host:{at['vhost'].lower()}" if at["vhost"] else provider
                who = (at["user"], at["agent"] or "", at["ip"])
                _note(secrets, at["path"], number)
                self._add(file.source, number, who, host, at["path"], int(at["status"]), at["time"], provider)
                continue
            found = _ENVOY.match(line)
            fields: dict[str, Any] | None = (
                found.groupdict() if found else _json(line) if line.startswith("{") else None
            )
            if fields is None:
                if line.strip():
                    skipped += 1
                    first = first or number
                continue
            _note(secrets, str(fields.get("path") or ""), number)
            self._count(fields, provider, file, number)
        for name, (line, count) in secrets.items():
            text = f"secret in a query ({name}) in clear text, in {many(count, 'line')}; rotate it and keep it out of addresses"
            yield context.finding("secret", text, file, line, severity="error")
        if skipped:
            yield context.finding(
                "unread-lines",
                f"{skipped:,} {'line is' if skipped == 1 else 'lines are'} in no known form of access log",
                file,
                first,
            )

    def _count(self, fields: dict[str, Any], name: str, file: SourceFile, number: int) -> None:
        get = fields.get
        provider = (
            _provider(str(get("service") or ""), str(get("upstream") or ""), str(get("host") or "")) or name
        )
        status = int(fields["status"]) if re.fullmatch(r"[0-9]{1,3}", str(get("status") or "")) else 0
        who = (str(get("user") or "-"), str(get("agent") or ""), str(get("ip") or "unknown"))
        self._add(file.source, number, who, provider, str(get("path") or "/"), status, get("time"), name)

    def _add(
        self,
        source: str,
        line: int,
        who: tuple[str, str, str],
        provider: str,
        path: str,
        status: int,
        time: Any,
        observer: str,
    ) -> None:
        caller, known_as = _caller(*who)
        if known_as and len(self._names) < MAX_KEYS:
            self._names[caller] = known_as
        self._calls.add(
            (caller, provider, normal_path(path), "sync", "http"), source=source, line=line, at=_when(time),
            errors=1 if status >= 500 or status == 0 else 0, observer=observer, refused=status in (401, 403),
        )  # fmt: skip

    def finish(self, context: Context) -> Iterable[Item]:
        """What was counted."""
        if self._calls.others:
            text = f"{self._calls.others:,.0f} calls are of more callers than are told apart; they stand under unknown"
            yield context.finding("too-many-callers", text)
        told: set[str] = set()
        for flow in self._calls.flows():
            yield from self._ends(flow, told)
            yield flow

    def _ends(self, flow: Flow, told: set[str]) -> Iterable[Item]:
        """The systems that have not been told; one place is evidence enough of one, its flows have all of them."""
        for end in (flow.consumer, flow.provider):
            if end in told:
                continue
            told.add(end)
            known_as = (client_alias(self._names[end]),) if end in self._names else ()
            yield Node(id=end, name=end.removeprefix("host:"), aliases=known_as, evidence=flow.evidence)


def _note(secrets: dict[str, list[int]], path: str, line: int) -> None:
    """Count a call whose address holds secrets, by the names they have there."""
    for name in secret_parameters(path):
        if name in secrets or len(secrets) < 20:
            secrets.setdefault(name, [line, 0])[1] += 1


def _name_of(file: SourceFile) -> str:
    stem = re.sub(r"(?<=[.]log)[.-]\d[\d.-]*", "", file.name)
    stem = re.sub(r"\.(log|gz|jsonl?|txt|\d+)", "", stem)
    stem = re.sub(r"[._-]?(access|error|requests?|log)s?$", "", stem, flags=re.IGNORECASE).strip("._-")
    parent = file.source.rpartition("/")[0].rpartition("/")[2]
    while not stem and parent in ("logs", "log", "nginx", "var"):
        parent = file.source.rpartition(f"/{parent}/")[0].rpartition("/")[2] or file.root.name
    return slug(stem or parent or file.root.name)


@lru_cache(maxsize=MEMORY)
def _provider(service: str, upstream: str, host: str) -> str:
    """Who answered: a service by name, the upstream's host, the host asked for; empty where only the log's name says."""
    upstream, host = upstream.rpartition(":")[0], host.partition(":")[0]
    if service or re.search(r"[a-z]", upstream):
        return service or f"host:{upstream}"
    return f"host:{host.lower()}" if host and not host.replace(".", "").isdigit() else ""


@lru_cache(maxsize=MEMORY)
def _caller(user: str, agent: str, ip: str) -> tuple[str, str | None]:
    """The caller's id, and the name that it gave (a user, an agent of its own), None where only its address is known."""
    if user != "-":
        return slug(user), user
    if not _LIBRARY.match(agent):
        name = re.split(r"[/\s(]", agent, maxsplit=1)[0]
        if re.fullmatch(r"[A-Za-z][\w.-]{1,60}", name):
            return slug(name), name
    return f"host:{_address(ip)}", None


def _address(text: str) -> str:
    """The address without a port: the next call of the same caller comes from another."""
    first = text.partition(",")[0].strip()
    port = re.fullmatch(r"\[([0-9A-Fa-f:.]+)\](?::\d+)?|([^:\s]+):\d+", first)
    return (port[1] or port[2] if port else first) or "unknown"


def _json(line: str) -> dict[str, Any] | None:
    try:
        row: Any = json.loads(line)
    except (ValueError, RecursionError):
        return None
    if not isinstance(row, dict):
        return None
    request: Any = row.get("request") if isinstance(row.get("request"), dict) else {}
    response: Any = row.get("response") if isinstance(row.get("response"), dict) else {}
    service: Any = row.get("service") if isinstance(row.get("service"), dict) else {}
    consumer: Any = row.get("consumer") if isinstance(row.get("consumer"), dict) else {}
    first = _first(row, request, response)
    path = first("path", "uri", "request_uri", "url", "x-envoy-original-path", "url_path")
    status = first("status", "response_code", "status_code")
    if path is None or status is None:
        return None
    headers: Any = request.get("headers") if isinstance(request.get("headers"), dict) else {}
    return {
        "ip": first("client_ip", "remote_addr", "downstream_remote_address", "client"),
        "user": consumer.get("username") or first("remote_user", "consumer", "user", "client_id") or "-",
        "time": first(
            "time",
            "time_iso8601",
            "time_local",
            "timestamp",
            "start_time",
            "started_at",
            "@timestamp",
            "msec",
            "ts",
        ),
        "path": str(path).partition("://")[2].partition("/")[2] if "://" in str(path) else path,
        "status": status,
        "agent": first("http_user_agent", "user_agent") or headers.get("user-agent"),
        "host": first("host", "authority", "http_host"),
        "service": slug(str(service["name"])) if service.get("name") else first("upstream_cluster"),
        "upstream": first("upstream_host", "upstream_addr"),
    }


def _first(*rows: dict[str, Any]) -> Any:
    def first(*names: str) -> Any:
        return next(
            (
                r[n]
                for n in names
                for r in rows
                if r.get(n) not in (None, "", "-") and not isinstance(r[n], dict)
            ),
            None,
        )

    return first


def _when(raw: Any) -> float | None:
    text = str(raw or "")
    try:
        if isinstance(raw, int | float):
            return raw / 1000 if raw > 1e11 else float(raw)
        if text[2:3] == "/":
            return _common_time(text)
        if re.match(r"\d{4}-", text):
            when = datetime.fromisoformat(text)
            return (when if when.tzinfo else when.replace(tzinfo=UTC)).timestamp()
        if re.fullmatch(r"\d+(\.\d+)?", text):
            return float(text)
        return None
    except (ValueError, OverflowError):
        return None


_MONTHS = {
    m: n
    for n, m in enumerate(
        ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"], 1
    )
}


def _common_time(text: str) -> float | None:
    """``10/Oct/2026:13:55:36 +0200``; the hour is remembered: a log says the same one thousands of times."""
    hour = _hour(text[:14], text[21:26])
    return None if hour is None else hour + int(text[15:17]) * 60 + int(text[18:20])


@lru_cache(maxsize=1024)
def _hour(text: str, zone: str) -> float | None:
    month = _MONTHS.get(text[3:6])
    if month is None:
        return None
    clock = datetime(int(text[7:11]), month, int(text[:2]), int(text[12:14]), tzinfo=UTC)
    offset = int(zone) if zone else 0
    minutes = abs(offset) // 100 * 60 + abs(offset) % 100
    return clock.timestamp() - (minutes if offset >= 0 else -minutes) * 60
