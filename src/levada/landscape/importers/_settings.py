"""What a program's settings (environment variables) say of whom it uses."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from msgspec import structs

from levada.landscape.importers._address import PLACE, Address, addresses, flow_to, is_local, known_scheme
from levada.landscape.importers._products import by_word
from levada.landscape.importers.protocol import Item
from levada.network.graph import Evidence, Finding, Flow

__all__ = ["SCHEMA_HOSTS", "expand", "settings_flows", "used_once"]

_VARIABLE = re.compile(
    r"\$\{([A-Za-z_][A-Za-z0-9_]*)(?:(:?[-?+])([^{}]*))?\}|\$([A-Za-z_][A-Za-z0-9_]*)|\$\(([A-Za-z_][A-Za-z0-9_]*)\)"
)


def expand(text: str, values: Mapping[str, Any], depth: int = 8) -> str:
    """The text with ``$A``, ``${A}``, ``${A:-default}`` and ``$(A)`` filled in; what is unknown stays."""
    for _ in range(depth):
        after = _VARIABLE.sub(lambda m: _value(m, values), text)
        if after == text or len(after) > 100_000:
            return after[:100_000]
        text = after
    return text


def _value(found: re.Match[str], values: Mapping[str, Any]) -> str:
    name = found[1] or found[4] or found[5]
    value = values.get(name)
    if value not in (None, ""):
        return str(value)
    if found[2] in ("-", ":-"):
        return found[3]
    return found[0]


_OF_ITS_OWN = re.compile(
    r"LISTENER|(?:^|_)(?:(?:SERVER_)?ROOT_URL|EXTERNAL_URL|SERVER_DOMAIN|VIRTUAL_HOST|LETSENCRYPT_HOST)\Z",
    re.IGNORECASE,
)
"""Settings that say where the program itself is reached."""


def _product_scheme(name: str) -> str | None:
    """The scheme of the database, broker or protocol that a setting is named after (``SPRING_DATA_REDIS_HOST``, ``SMTP_HOST``)."""
    if not re.search(r"(?:HOST|HOSTNAME|ADDR|ADDRESS|SERVER|SERVERS|ENDPOINT)\Z", name, re.IGNORECASE):
        return None
    for word in re.split(r"[._-]", name):
        word = "postgres" if word.lower() == "pg" else word
        if known_scheme(word) and Address("", scheme=word.lower()).how[0] != "sync":
            return word.lower()
        product = by_word(word)
        scheme = {"rabbitmq": "amqp", "mssql": "sqlserver"}.get(product.id, product.id) if product else ""
        if product and product.kind in ("db", "broker") and known_scheme(scheme):
            return scheme
    return None


def settings_flows(
    consumer: str,
    settings: Iterable[tuple[str, Any, tuple[Evidence, ...]]],
    *,
    own: Iterable[str] = (),
    known: frozenset[str] | set[str] = frozenset(),
) -> Iterator[Item]:
    """Flows to the addresses that settings hold; not to the consumer's own names, nor to the machine itself."""
    yield from used_once(_flows(consumer, settings, {o.lower() for o in own}, known))


def used_once(items: Iterable[Item]) -> Iterator[Item]:
    """The items, without uses of a database of which another setting of the same program says what is used."""
    items = list(items)
    told = {_use(i) for i in items if isinstance(i, Flow) and i.object}
    for item in items:
        if not (isinstance(item, Flow) and item.object is None and item.mode == "db" and _use(item) in told):
            yield item


def _use(flow: Flow) -> tuple[str | None, ...]:
    return flow.consumer, flow.provider, flow.mode, flow.protocol


def _flows(
    consumer: str, settings: Iterable[tuple[str, Any, tuple[Evidence, ...]]], mine: set[str], known: frozenset[str] | set[str]
) -> Iterator[Item]:  # fmt: skip
    for name, value, evidence in settings:
        if value is None or isinstance(value, bool | int | float) or _OF_ITS_OWN.search(name):
            continue
        if place := re.search(rf"(?:://|^){PLACE.pattern}(?=[:/]|$)", str(value)):
            text = f"{consumer}: {name} has a place still to be filled in: {place[0].removeprefix('://')}"
            where = evidence[0] if evidence else None
            if ":" in str(value):
                yield Finding(
                    "unresolved-address",
                    "info",
                    text,
                    where.source if where else None,
                    where.line if where else None,
                )
        for address in addresses(str(value), name, known):
            if is_local(address.host) or address.host in mine or "$" in address.host:
                continue
            if "template" in address.host and "TEMPLATE" in str(value):
                continue  # a placeholder of a Helm chart, known when it is rendered
            if address.scheme is None and address.port is None and not known and "." not in address.host:
                continue
            yield from _flow(consumer, name, address, evidence)


SCHEMA_HOSTS = re.compile(
    r"(^|\.)(w3\.org|xmlsoap\.org|json-schema\.org|apache\.org|springframework\.org|oasis-open\.org|example\.(com|org|net)|schemas\.microsoft\.com)$"
)
"""Hosts that stand in names of schemas and in examples: no system."""


def _flow(consumer: str, name: str, address: Address, evidence: tuple[Evidence, ...]) -> Iterator[Item]:
    if SCHEMA_HOSTS.search(address.host):
        return
    if name.startswith("OTEL_") and address.scheme != "otlp" and address.how[1] != "otlp":
        address = structs.replace(address, port=4317, scheme=None)
    if address.how == ("sync", None) and (scheme := _product_scheme(name)):
        address = structs.replace(address, scheme=scheme)
    health = bool(
        re.search(r"health|probe|liveness|readiness", f"{name} {address.path or ''}", re.IGNORECASE)
    )
    yield from flow_to(consumer, address, evidence, what="health" if health else None)
