"""Settings files of programs: which value of a setting holds, and whom its address means.

A framework reads the same keys from several files, one for each profile or environment. Of
several values the one nearest production is taken; an address of a developer's own machine
counts only where no file names another.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from typing import Any

from msgspec import Struct, structs

from levada.landscape.importers._address import Address, addresses, flow_to, is_local, known_scheme
from levada.landscape.importers._products import by_word
from levada.landscape.importers._redact import excerpt
from levada.landscape.importers._settings import SCHEMA_HOSTS
from levada.landscape.importers.protocol import Item
from levada.network._yaml import line_of
from levada.network.graph import Evidence, Finding, Flow, Node
from levada.network.names import slug

__all__ = [
    "Meaning",
    "Program",
    "Setting",
    "flattened",
    "local_calls",
    "of_production",
    "of_trial",
    "program_flows",
]

_PRODUCTION = frozenset(("prod", "prd", "production", "live"))
_DEPLOYED = frozenset(
    (
        "docker",
        "compose",
        "container",
        "kubernetes",
        "k8s",
        "openshift",
        "cloud",
        "aws",
        "azure",
        "gcp",
        "nais",
    )
)
_TRIAL = frozenset(
    (
        "dev", "develop", "development", "local", "localhost", "test", "tests", "testing", "integration", "it", "e2e", "ci", "mock",
        "stage", "staging", "preprod", "pre", "uat", "qa", "acc", "sandbox", "demo", "h2", "hsqldb", "q1", "q2",
    )
)  # fmt: skip
_HOLE = re.compile(r"\$\{([^${}:]+)(?::([^${}]*))?\}")
_OPEN = re.compile(r"\$\{|#\{|@\w[\w.]*@|<[\w .-]+>|\{\{|%\(")
_ADDRESS_KEY = re.compile(r"(?:url|uri|urls|uris|endpoint|host|hostname|servers|brokers|addresses|address)\Z")
_HOST_KEY = re.compile(r"(?:host|hostname|address|server)\Z")


class Setting(Struct, frozen=True):
    """One value of one key: ``a.b.c``, of which profile, and where it stands."""

    key: str
    value: str
    evidence: Evidence
    profile: str | None = None

    @property
    def plain(self) -> str:
        """The key as frameworks compare it: ``Service-Url`` and ``serviceUrl`` are one."""
        return _plain(self.key)


class Meaning(Struct, frozen=True):
    """What a framework takes a setting for: a scheme where the value has none, the object, the protocol.

    ``url`` makes an address of the value, for settings that hold none as it stands; it gives None
    for what leads nowhere (a database in the program itself).
    """

    scheme: str | None = None
    what: str | None = None
    protocol: str | None = None
    url: Callable[[Setting, Program], str | None] | None = None
    sure: bool = False
    """Does the key alone say that there is a provider?"""
    connection: str | None = None
    """The connection's name, where programs that share it are meant to share what it leads to."""


class Program(Struct):
    """A program and all values of its settings."""

    id: str
    name: str
    settings: list[Setting]
    topics: bool = False

    def value(self, key: str, profile: str | None = None) -> str | None:
        """The value that holds of a key, first of all in this profile; as it stands."""
        wanted = _flat(key)
        found = [s for s in self.settings if _flat(s.key) == wanted]
        found.sort(key=lambda s: (profile is not None and s.profile != profile, _rank(s.profile)))
        return found[0].value if found else None

    def filled(self, setting: Setting) -> str:
        """The value with ``${key:default}`` filled in; what nobody defines stays."""

        def fill(hole: re.Match[str]) -> str:
            same = _flat(hole[1]) == _flat(setting.key)
            held = None if same else self.value(hole[1].strip(), setting.profile)
            return held if held is not None else hole[2] if hole[2] is not None else hole[0]

        text = setting.value
        for _ in range(8):
            after = _HOLE.sub(fill, text)
            if after == text or len(after) > 20_000:
                break
            text = after
        return text[:20_000]


def flattened(value: Any, prefix: str = "", depth: int = 0) -> Iterator[tuple[str, str, int | None]]:
    """The leaves of a document as ``a.b[0].c``, their text, and their line where it is known."""
    if depth > 40:
        return
    pairs: Iterable[tuple[Any, Any]] = (
        value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    )
    for key, child in pairs:
        name = f"{prefix}[{key}]" if isinstance(value, list) else f"{prefix}.{key}" if prefix else str(key)
        if isinstance(child, dict | list):
            yield from flattened(child, name, depth + 1)
        elif child is not None and not isinstance(child, bool):
            yield name, str(child), line_of(value, key)


def _plain(key: str) -> str:
    return re.sub(r"[-_]", "", key.lower().replace(":", "."))


def _flat(key: str) -> str:
    return re.sub(r"[^a-z0-9]", "", key.lower())


def of_production(environment: str) -> bool:
    """Is it the name of an environment of production?"""
    return _rank(environment) == 0


def of_trial(environment: str) -> bool:
    """Is it the name of an environment for trials?"""
    return _rank(environment) == 4


def _rank(profile: str | None) -> int:
    """How near production a profile is: 0 is production itself, 4 a trial."""
    if profile is None:
        return 2
    words = {w for w in re.split(r"[^a-z0-9]+", profile.lower()) if w}
    if words & _TRIAL:
        return 4
    return 0 if words & _PRODUCTION else 1 if words & _DEPLOYED else 3


def program_flows(program: Program, meaning: Callable[[Setting], Meaning | None]) -> Iterator[Item]:
    """The flows that a program's settings tell; a call of a local port stands as ``port:<n>`` for :func:`local_calls`.

    ``meaning`` gives None for settings that name no provider, whatever they hold.
    """
    by_key: dict[str, list[Setting]] = {}
    for setting in program.settings:
        by_key.setdefault(setting.plain, []).append(setting)
    in_production = any(_rank(s.profile) == 0 for s in program.settings)
    parts = {_flat(hole[1]) for s in program.settings for hole in _HOLE.finditer(s.value)}
    left: dict[str, Setting] = {}
    for settings in by_key.values():
        means = meaning(settings[0])
        if means is None:
            continue
        read = [_Read(program, s, means) for s in sorted(settings, key=lambda s: _rank(s.profile))]
        best = next((r for r in read if r.outside), None) or next(
            (r for r in read if r.found or r.open), None
        )
        if best is None or (best.bare and _flat(best.setting.key) in parts):
            continue  # no address, or a part of another setting's
        if in_production and _rank(best.setting.profile) == 4:
            left.setdefault(best.setting.profile or "", best.setting)
        else:
            yield from best.items()
            yield from _beside(best, read)
    for profile, setting in left.items():
        text = (
            f"{program.name}: addresses that only the profile {profile} names are of no production; not taken"
        )
        yield Finding("other-environment", "info", text, setting.evidence.source, setting.evidence.line)


def _beside(best: _Read, read: Iterable[_Read]) -> Iterator[Item]:
    """What files of another folder say of the same place of a list: a program's own list and its config server's are two."""
    if "[" not in best.setting.key:
        return
    met = {best.setting.evidence.source.rpartition("/")[0]}
    for other in read:
        folder = other.setting.evidence.source.rpartition("/")[0]
        if folder not in met and other.outside and _rank(other.setting.profile) <= 2:
            met.add(folder)
            yield from other.items()


class _Read:
    """One value of a setting and the addresses in it."""

    def __init__(self, program: Program, setting: Setting, means: Meaning) -> None:
        self.program, self.setting, self.means = program, setting, means
        text: str | None = program.filled(setting)
        if means.url is not None:
            text = means.url(structs.replace(setting, value=text), program)
        elif means.scheme and text and "://" not in text:
            text = ",".join(f"{means.scheme}://{p.strip()}" for p in text.split(",") if p.strip())
        self.text = text or ""
        self.open = bool(_OPEN.search(self.text)) and (
            means.sure
            or bool(
                _ADDRESS_KEY.search(setting.plain) and _OPEN.match(self.text.partition("://")[2] or self.text)
            )
        )
        self.found = (
            []
            if _OPEN.search(self.text)
            else [a for a in addresses(self.text, setting.key) if self._meant(a)]
        )
        if not self.found and _OPEN.search(self.text) and not self.open:
            head = _OPEN.split(self.text)[0]
            whole = re.match(r"[a-z+]+://[^/]+/", head)
            self.found = [a for a in addresses(head, setting.key) if self._meant(a)] if whole else []
        self.outside = [a for a in self.found if not is_local(a.host)]

    @property
    def bare(self) -> bool:
        """Is it a host alone?"""
        return bool(self.found) and all(a.scheme is None for a in self.found)

    def _meant(self, address: Address) -> bool:
        if address.scheme is None and address.port is None:
            return bool(_HOST_KEY.search(self.setting.plain)) and not re.search(
                r"\.(?:class|java|json|xml|ya?ml)\Z", address.host
            )
        if address.scheme is not None and not known_scheme(address.scheme):
            return False
        return not SCHEMA_HOSTS.search(address.host) and not (address.path or "").endswith(
            (".xsd", ".dtd", ".wsdl2")
        )

    def items(self) -> Iterator[Item]:
        seen = (self.setting.evidence,)
        for address in self.outside:
            node, flow = flow_to(self.program.id, address, seen, what=self.means.what)
            yield node
            yield self._said(flow)
        if not self.outside:
            for address in self.found:
                yield from self._local(address, seen)
        if not self.found and self.open:
            yield from self._unresolved(seen)

    def _said(self, flow: Flow) -> Flow:
        if self.means.protocol:
            flow = structs.replace(flow, protocol=self.means.protocol)
        if _rank(self.setting.profile) >= 3:
            flow = structs.replace(flow, attributes={**flow.attributes, "profile": self.setting.profile})
        return flow

    def _local(self, address: Address, seen: tuple[Evidence, ...]) -> Iterator[Item]:
        me = self.program
        mode, protocol = address.how
        if mode in ("db", "async", "file") and protocol:
            product = by_word(protocol)
            to = f"{me.id}/local-{protocol}"
            name = f"{product.name if product else protocol} of {me.name}"
            yield Node(
                id=to, name=name, kind=product.kind if product else None, aliases=self._aliases(), evidence=seen
            )  # fmt: skip
            yield self._said(
                Flow(consumer=me.id, provider=to, object=self.means.what or address.database, mode=mode,
                     protocol=protocol, evidence=seen)
            )  # fmt: skip
        else:
            port = address.port or {"http": 80, "https": 443}.get(address.scheme or "", 0)
            yield self._said(
                Flow(consumer=me.id, provider=f"port:{port}", object=self.means.what, mode=mode, protocol=protocol,
                     evidence=seen)
            )  # fmt: skip

    def _aliases(self) -> tuple[str, ...]:
        return (f"connection:{self.means.connection}",) if self.means.connection else ()

    def _unresolved(self, seen: tuple[Evidence, ...]) -> Iterator[Item]:
        me, (place,) = self.program, seen
        hole = _HOLE.search(self.text)
        text = f"{me.name}: {self.setting.key} is {excerpt(self.text, 100)}, which no settings file defines"
        yield Finding("unresolved-setting", "info", text, place.source, place.line)
        scheme = self.means.scheme or self.text.partition("://")[0].rpartition(":")[2]
        mode, protocol = Address("x", scheme=scheme).how if known_scheme(scheme) else ("sync", None)
        if (
            re.search(r"(?:datasource|r2dbc|jdbc)[\w.\[\]]*url\Z|connectionstrings", self.setting.plain)
            and not protocol
        ):
            mode = "db"
        to = f"unresolved:{slug(me.id)}/{slug(hole[1] if hole else self.setting.key)}"
        yield Node(
            id=to,
            name=hole[0] if hole else self.setting.key,
            kind="db" if mode == "db" else None,
            evidence=seen,
        )
        yield self._said(
            Flow(
                consumer=me.id,
                provider=to,
                object=self.means.what,
                mode=mode,
                protocol=protocol,
                evidence=seen,
            )
        )


def local_calls(items: Iterable[Item], ports: dict[int, set[str]], names: dict[str, str]) -> Iterator[Item]:
    """The items with calls of a local port led to the one program that listens there; others become findings.

    ``names`` are the programs' names by id.
    """
    for item in items:
        if not isinstance(item, Flow) or not item.provider.startswith("port:"):
            yield item
            continue
        port = int(item.provider.removeprefix("port:"))
        owners = ports.get(port, set())
        place = item.evidence[0]
        if item.consumer in owners:
            continue  # it calls itself
        if len(owners) == 1:
            yield structs.replace(item, provider=next(iter(owners)))
        else:
            who = f"{', '.join(sorted(owners))} listen there" if owners else "nothing here listens there"
            text = f"{names.get(item.consumer, item.consumer)} calls port {port} of its own machine; {who}"
            yield Finding("local-address", "info", text, place.source, place.line)
