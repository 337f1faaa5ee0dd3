"""A HAR recording as an OpenAPI document: routes, names and types of what went over the wire, and never a value."""

from __future__ import annotations

import base64
import binascii
import re
from collections import Counter, defaultdict
from collections.abc import Iterable
from typing import Any
from urllib.parse import SplitResult, parse_qsl, urlsplit

import msgspec

from levada.connect.adopt._fetch import Place
from levada.connect.adopt._infer import schema_of
from levada.connect.adopt.errors import NotAdopted

__all__ = ["document_of"]

_VERBS = frozenset({"GET", "POST", "PUT", "PATCH", "DELETE"})
_WORD = re.compile(r"v\d{1,3}|[A-Za-z][A-Za-z_-]{0,23}(?:\.json)?")
"""A segment that may be part of a route; whatever else it is may be somebody's id, name or token."""
_QUERY = re.compile(r"[A-Za-z][A-Za-z_.\[\]-]{0,39}")
_SECRET = re.compile(r"(?i)token|secret|passw|pwd|api.?key|auth|session|sig|cookie|jwt|otp|code|state|nonce")
_SEVERAL = 4
"""So many words at one place of otherwise equal routes are values."""


class _Call:
    """A recorded request and its answer, of which only JSON is of interest."""

    def __init__(self, entry: dict[str, Any]) -> None:
        request, response = _table(entry.get("request")), _table(entry.get("response"))
        self.verb = str(request.get("method", "")).upper()
        self.url: SplitResult = urlsplit(str(request.get("url", "")))
        self.status = int(response.get("status") or 0)
        self.sent = _json(_table(request.get("postData")))
        self.has_body = bool(_table(request.get("postData")).get("text"))
        content = _table(response.get("content"))
        self.kind = str(content.get("mimeType", "")).partition(";")[0].strip().lower()
        self.got = _json(content)
        self.host = f"{self.url.scheme}://{self.url.netloc.rpartition('@')[2]}"
        self.segments = tuple(s for s in self.url.path.split("/") if s)

    @property
    def of_api(self) -> bool:
        """Whether it is a call of an API, rather than of a page or what belongs to it."""
        if self.verb not in _VERBS or not self.url.netloc or not 200 <= self.status < 600:
            return False
        return self.got is not None or (
            self.verb != "GET" and self.kind in ("", "x-unknown", "application/json")
        )


def document_of(place: Place, recording: dict[str, Any]) -> tuple[dict[str, Any], list[str]]:
    """The document of the host that was called most, and what of the recording it does not tell.

    Raises:
        NotAdopted: No call of an API is in it.
    """
    entries = _table(recording.get("log")).get("entries")
    calls: list[_Call] = []
    skipped = 0
    for entry in entries if isinstance(entries, list) else ():
        try:
            call = _Call(entry)
        except (ValueError, TypeError, AttributeError):
            skipped += 1
            continue
        if call.of_api:
            calls.append(call)
        else:
            skipped += 1
    if not calls:
        raise NotAdopted(
            place=place.shown,
            reason="no request in it has a JSON answer",
            mend="Record while the API is used, with the bodies of the answers",
        )
    (host, _), *others = Counter(c.host for c in calls).most_common()
    notes = [f"{other}: {count} calls of another host are left out" for other, count in others]
    if skipped:
        notes.append(f"{skipped} requests for pages, pictures, scripts and the like are left out")
    own = [c for c in calls if c.host == host]
    return {
        "openapi": "3.1.0",
        "info": {
            "title": _title(host),
            "version": "1.0",
            "description": f"What was recorded of {host}, in {len(own)} calls.",
        },
        "servers": [{"url": host}],
        "paths": _paths(own),
    }, notes


def _paths(calls: list[_Call]) -> dict[str, Any]:
    routes: dict[tuple[str, str], list[_Call]] = defaultdict(list)
    values = _values(calls)
    for call in calls:
        routes[_template(call.segments, values), call.verb.lower()].append(call)
    paths: dict[str, Any] = {}
    for (path, verb), found in sorted(routes.items()):
        paths.setdefault(path, {})[verb] = _operation(path, verb, found)
    return paths


def _values(calls: list[_Call]) -> set[tuple[tuple[str, ...], int]]:
    """Places in routes where so many words were seen that they are values: (the route with a gap, the place)."""
    seen: dict[tuple[tuple[str, ...], int], set[str]] = defaultdict(set)
    for call in calls:
        for at in range(len(call.segments)):
            seen[_around(call.segments, at), at].add(call.segments[at])
    # The first segment names a resource, however many there are.
    return {place for place, words in seen.items() if len(words) >= _SEVERAL and place[1] > 0}


def _around(segments: tuple[str, ...], at: int) -> tuple[str, ...]:
    return tuple("*" if i == at or not _WORD.fullmatch(s) else s for i, s in enumerate(segments))


def _template(segments: tuple[str, ...], values: set[tuple[tuple[str, ...], int]]) -> str:
    made: list[str] = []
    for at, segment in enumerate(segments):
        if _WORD.fullmatch(segment) and (_around(segments, at), at) not in values:
            made.append(segment)
            continue
        before = next((s for s in reversed(made) if not s.startswith("{")), "item")
        name = f"{re.sub(r'[^a-z]', '_', before.lower()).removesuffix('s') or 'item'}_id"
        while "{" + name + "}" in made:
            name += "_"
        made.append("{" + name + "}")
    return "/" + "/".join(made)


def _operation(path: str, verb: str, calls: list[_Call]) -> dict[str, Any]:
    words = re.sub(r"[{}]", "", path.replace("/{", "/by/")).strip("/")
    made: dict[str, Any] = {
        "operationId": f"{verb} {words}",
        "description": f"{verb.upper()} {path}, recorded {len(calls)} times.",
        "parameters": [*_path_parameters(path), *_query_parameters(calls)],
        "responses": {},
    }
    sent = [c.sent for c in calls if c.sent is not None]
    if sent and verb not in ("get", "delete"):
        made["requestBody"] = {"content": {"application/json": {"schema": schema_of(sent)}}}
    elif any(c.has_body for c in calls) and verb not in ("get", "delete"):
        made["requestBody"] = {"content": {"a body other than JSON": {}}}
    for status in sorted({c.status for c in calls}):
        got = [c.got for c in calls if c.status == status and c.got is not None]
        answer: dict[str, Any] = {"description": f"Seen with {status}."}
        if got and status < 300:
            answer["content"] = {"application/json": {"schema": schema_of(got)}}
        made["responses"][str(status)] = answer
    return made


def _path_parameters(path: str) -> Iterable[dict[str, Any]]:
    for name in re.findall(r"\{(\w+)\}", path):
        yield {"name": name, "in": "path", "required": True, "schema": {"type": "string"}}


def _query_parameters(calls: list[_Call]) -> Iterable[dict[str, Any]]:
    seen: dict[str, list[str]] = defaultdict(list)
    repeated: set[str] = set()
    for call in calls:
        pairs = parse_qsl(call.url.query, keep_blank_values=True)
        for name, value in pairs:
            if _QUERY.fullmatch(name) and not _SECRET.search(name):
                seen[name].append(value)
        repeated |= {n for n, count in Counter(n for n, _ in pairs).items() if count > 1}
    for name, values in seen.items():
        one = (
            {"type": "integer"} if all(re.fullmatch(r"-?\d{1,15}", v) for v in values) else {"type": "string"}
        )
        if all(v in ("true", "false") for v in values):
            one = {"type": "boolean"}
        schema = {"type": "array", "items": one} if name in repeated else one
        yield {"name": name, "in": "query", "required": False, "schema": schema}


def _json(part: dict[str, Any]) -> Any:
    """A body that is JSON, or None."""
    text = part.get("text")
    if not isinstance(text, str) or not text.strip():
        return None
    if "json" not in str(part.get("mimeType", "")).lower():
        return None
    try:
        raw = base64.b64decode(text, validate=True) if part.get("encoding") == "base64" else text.encode()
        return msgspec.json.decode(raw)
    except (msgspec.DecodeError, binascii.Error, UnicodeError, RecursionError):
        return None


def _title(host: str) -> str:
    name = urlsplit(host).hostname or ""
    labels = [w for w in name.split(".")[:-1] if w not in ("api", "www") and not w.isdigit()]
    return labels[-1] if labels else "Recorded"


def _table(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}
