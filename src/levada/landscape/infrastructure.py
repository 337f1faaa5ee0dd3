"""Which flows are infrastructure: rules that a person can read and correct (``infrastructure.toml``).

Telemetry, health checks, sign-on, gateways' routes and start orders stay in the map; the tax,
the brittle list and the blueprint leave them out, each with the reason.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Callable
from functools import cache, lru_cache
from importlib.resources import files
from typing import Any

import msgspec
from msgspec import Struct

from levada.landscape.naming import Names
from levada.network.graph import Flow, Network, Node

__all__ = ["brokered", "infrastructure"]

_COMPOSE = re.compile(r"(^|/)(docker-)?compose[^/]*\.ya?ml$", re.IGNORECASE)
_NO = frozenset({"no", "false", "0", "business"})


class Rule(Struct, frozen=True):
    """A kind of infrastructure, by what its systems and objects are called, and the sentence that says why."""

    name: str
    because: str
    words: tuple[str, ...] = ()
    objects: tuple[str, ...] = ()
    protocols: tuple[str, ...] = ()
    domains: tuple[str, ...] = ()
    endings: tuple[str, ...] = ()


@cache
def _data() -> dict[str, Any]:
    return tomllib.loads(files("levada.landscape").joinpath("infrastructure.toml").read_text("utf-8"))


@cache
def _brokers() -> frozenset[str]:
    """Protocols whose messages lie with a broker between sender and receiver."""
    return frozenset(_data()["broker_protocols"])


@cache
def rules() -> tuple[Rule, ...]:
    """The rules of ``infrastructure.toml``, the first that fits is the reason."""
    return msgspec.convert(_data()["rule"], tuple[Rule, ...])


def infrastructure(network: Network) -> Callable[[Flow], str | None]:
    """Tells of each flow of the network why it is infrastructure; None if it carries business."""
    names = Names(network)
    known = {i: text for i, node in network.nodes.items() if (text := _of_node(node)) is not None}
    business = {i for i, node in network.nodes.items() if _said(node) is False}

    def why(flow: Flow) -> str | None:
        if flow.provider in business:
            return None
        found = _of_flow(flow)
        if found is not None:
            return found
        for end in (flow.provider, flow.consumer):
            if end in known:
                return f"{names.system(end)}: {known[end]}"
        if network.nodes[flow.provider].kind == "broker":
            return f"{names.system(flow.provider)} is a broker: what goes over it is an event already"
        if _start_order(flow):
            return "a start order (depends_on): one container starts after another, nothing says what it asks for"
        return None

    return why


def brokered(network: Network, flow: Flow) -> bool:
    """Whether the flow is an event on a broker already."""
    if flow.mode not in ("async", "unknown"):
        return False
    if "event" in (network.nodes[flow.provider].kind, network.nodes[flow.consumer].kind):
        return True
    held = flow.attributes
    named = bool(held.get("topic") or held.get("queue") or held.get("exchange"))
    return named or (flow.protocol or "").lower() in _brokers()


def _said(node: Node) -> bool | None:
    """What a person wrote beside the system; None if nothing."""
    text: Any = node.attributes.get("infrastructure")
    return None if text is None or str(text).strip() == "" else str(text).strip().lower() not in _NO


def _of_node(node: Node) -> str | None:
    said = _said(node)
    if said is not None:
        return "infrastructure, as its row says" if said else None
    return _of_names(node.id, node.name, node.domain or "")


@lru_cache(maxsize=1 << 16)
def _of_names(node_id: str, name: str, domain: str) -> str | None:
    text = _words(node_id) + "\n" + _words(name)
    for rule, words in _patterns():
        if domain.lower() in rule.domains or (words is not None and words.search(text)):
            return rule.because
    return None


@cache
def _patterns() -> tuple[tuple[Rule, re.Pattern[str] | None], ...]:
    """Each rule with one pattern for its words: whole words, ``*end`` of one, ``=the whole name``."""
    return tuple((r, re.compile("|".join(map(_pattern, r.words))) if r.words else None) for r in rules())


def _pattern(word: str) -> str:
    if word.startswith("="):
        return f"(?m:^-{re.escape(word[1:])}-$)"
    return f"{re.escape(word[1:])}-" if word.startswith("*") else f"-{re.escape(word)}-"


def _of_flow(flow: Flow) -> str | None:
    what, how = (flow.object or "").lower(), (flow.protocol or "").lower()
    for rule in rules():
        if what in rule.objects or how in rule.protocols or (rule.endings and what.endswith(rule.endings)):
            return rule.because
    return None


def _words(text: str) -> str:
    return "-" + re.sub(r"[^a-z0-9]+", "-", text.lower()).strip("-") + "-"


def _start_order(flow: Flow) -> bool:
    """Only a compose file's ``depends_on`` says so, and nothing is known of what is asked for."""
    if flow.mode != "unknown" or flow.object or flow.protocol or flow.volume_day is not None:
        return False
    if flow.attributes.get("by") == "depends_on":
        return True
    said = [e for e in flow.evidence if not e.source.endswith((".csv", ".xlsx"))]
    return bool(said) and all(e.status == "declared" and _COMPOSE.search(e.source) for e in said)
