"""One system under many names: rules that explain themselves, merges that a person accepts.

Rules only suggest (``rules.toml``); the review file keeps what a person decides. A rule that
goes by looks is not believed where something speaks against it: two names of one namespace are
two systems, and so are two of which one calls the other.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterable, Iterator
from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING, Any, Literal

import msgspec
from msgspec import Struct

from levada.landscape.review import Suggestion
from levada.landscape.words import many
from levada.network.graph import Network, Node
from levada.network.names import normal

if TYPE_CHECKING:
    from levada.landscape.importers._products import Product

__all__ = ["rules", "suggest"]


class Rule(Struct, frozen=True):
    """A rule as data: what is compared, how sure it is, and the sentence that explains it."""

    name: str
    compare: Literal[
        "alias", "elsewhere", "name", "host", "product", "setting", "describes", "image", "deployed"
    ]
    confidence: float
    because: str
    prefix: str = ""

    @property
    def by_looks(self) -> bool:
        """Does it compare what things are called, and nothing else?"""
        return self.compare in ("elsewhere", "name", "host")


@cache
def _data() -> dict[str, Any]:
    return tomllib.loads(files("levada.landscape").joinpath("rules.toml").read_text("utf-8"))


@cache
def rules() -> tuple[Rule, ...]:
    """The rules of ``rules.toml``, surest first."""
    return tuple(sorted((msgspec.convert(r, Rule) for r in _data()["rule"]), key=lambda r: -r.confidence))


@cache
def _placeholders() -> frozenset[str]:
    return frozenset(_data()["placeholders"])


@cache
def _generic() -> frozenset[str]:
    return frozenset(_data()["generic"])


def suggest(network: Network) -> list[Suggestion]:
    """Merges worth a look, surest first; a pair is suggested once, by its surest rule."""
    around = _Around(network)
    found: dict[frozenset[str], Suggestion] = {}
    joined: dict[str, set[str]] = {}
    for rule in rules():
        groups: dict[str, list[Node]] = {}
        for node in network.nodes.values():
            for key in set(_keys(rule, node, around)):
                groups.setdefault(key, []).append(node)
        for key, nodes in sorted(groups.items()):
            if 1 < len(nodes) <= 20:
                for suggestion in _pairs(rule, key, nodes, around):
                    pair = frozenset((suggestion.keep, suggestion.drop))
                    if pair not in found and not (rule.by_looks and _crowded(joined, suggestion)):
                        found[pair] = suggestion
                        _join(joined, suggestion)
    return sorted(found.values(), key=lambda s: (-s.confidence, s.keep, s.drop))


def _crowded(joined: dict[str, set[str]], new: Suggestion) -> bool:
    """Would it, with the surer ones, make one system of two names of a namespace?"""
    one, two = joined.get(new.keep, {new.keep}), joined.get(new.drop, {new.drop})
    return one is not two and bool({_namespace(n) for n in one} & {_namespace(n) for n in two} - {""})


def _join(joined: dict[str, set[str]], new: Suggestion) -> None:
    together = joined.get(new.keep, {new.keep}) | joined.get(new.drop, {new.drop})
    joined.update(dict.fromkeys(together, together))


class _Around:
    """Who uses a system and whom it uses."""

    def __init__(self, network: Network) -> None:
        self.consumers: dict[str, set[str]] = {}
        self.providers: dict[str, set[str]] = {}
        self.places: dict[str, list[str]] = {}
        self.count: dict[str, int] = {}
        self.names = {
            i for i, n in network.nodes.items() if not _PLATFORMS.search(i) and n.kind in (None, "app", "api")
        }
        for flow in network.flows.values():
            self.consumers.setdefault(flow.provider, set()).add(flow.consumer)
            self.providers.setdefault(flow.consumer, set()).add(flow.provider)
            for end in (flow.consumer, flow.provider):
                self.count[end] = self.count.get(end, 0) + 1
                self.places.setdefault(end, []).extend(_place(e.source, e.line) for e in flow.evidence[:1])

    def joined(self, one: str, two: str) -> bool:
        """Is there a flow between them?"""
        return two in self.providers.get(one, ()) or one in self.providers.get(two, ())

    def evidence(self, node: Node) -> list[str]:
        """Where it is spoken of: its own places, else those of its flows."""
        own = [_place(e.source, e.line) for e in node.evidence]
        return list(dict.fromkeys(own or self.places.get(node.id, [])))[:2]


def _place(source: str, line: int | None) -> str:
    return f"{source}:{line}" if line else source


def _pairs(rule: Rule, key: str, nodes: list[Node], around: _Around) -> Iterator[Suggestion]:
    ranked = sorted(
        nodes,
        key=lambda n: (
            "describes" in n.attributes,
            _outside(n),
            n.owner is None,
            n.kind is None,
            -around.count.get(n.id, 0),
            n.id,
        ),
    )
    for number, other in enumerate(ranked):
        first = next((n for n in ranked[:number] if _may_be_one(rule, n, other, around)), None)
        if first is not None:
            said = rule.because.format(key=key, keep=first.id, drop=other.id)
            yield Suggestion(
                keep=first.id,
                drop=other.id,
                rule=rule.name,
                reason="; ".join([said, *_besides(first, other, around)]),
                confidence=rule.confidence,
                evidence=(*around.evidence(first), *around.evidence(other)),
            )


def _may_be_one(rule: Rule, one: Node, two: Node, around: _Around) -> bool:
    if rule.compare == "describes":
        return two.attributes.get("describes") == one.id
    if one.kind and two.kind and one.kind != two.kind:
        return False  # a database and the application before it may share a name
    if rule.compare == "alias":
        products = _product(one), _product(two)
        return None in products or products[0] == products[1]
    if rule.compare == "image":
        return (_image(one) is None) != (_image(two) is None)
    if not rule.by_looks:
        return True
    if _trial(one.id) != _trial(two.id):
        return False  # a system and its test instance
    space = _namespace(one.id)
    return not (space and space == _namespace(two.id)) and not around.joined(one.id, two.id)


def _trial(name: str) -> set[str]:
    return set(re.split(r"[^a-z0-9]+", name.lower())) & {"test", "dev", "staging", "stage", "uat", "qa"}


def _besides(one: Node, two: Node, around: _Around) -> Iterator[str]:
    """What else speaks for or against it, and what a merge would join."""
    shared = sorted(around.consumers.get(one.id, set()) & around.consumers.get(two.id, set()))
    if shared:
        more = f" and {len(shared) - 3} more" if len(shared) > 3 else ""
        yield f"both are used by {', '.join(shared[:3])}{more}"
    if one.owner and two.owner and one.owner != two.owner:
        yield f"against it: their owners differ ({one.owner}, {two.owner})"
    yield f"joins {many(around.count.get(one.id, 0), 'flow')} and {many(around.count.get(two.id, 0), 'flow')}"


def _outside(node: Node) -> bool:
    """Is it known as a host alone? A name of one's own is the better one to keep."""
    return node.id.startswith("ext:") or _is_host(node.id)


def _namespace(name: str) -> str:
    """What stands before the name in an id of an application (``team.app``, ``n8n/flow``); empty of a host."""
    if ":" in name or _is_host(name):
        return ""
    return re.split(r"[^./]*\Z", name)[0]


def _keys(rule: Rule, node: Node, around: _Around) -> Iterable[str]:
    if rule.compare == "alias":
        found = (a.removeprefix(rule.prefix).casefold() for a in node.aliases if a.startswith(rule.prefix))
        return (key for key in found if key.strip(" []<>{}().!") not in _placeholders())
    if rule.compare == "describes":
        return (node.id, str(node.attributes.get("describes") or node.id))
    if rule.by_looks and ("/local-" in node.id or node.id.startswith("unresolved:")):
        return ()  # its name is of our making
    if rule.compare == "elsewhere":
        space = _namespace(node.id)
        return _telling([node.id.removeprefix(space).casefold()]) if space else ()
    if rule.compare == "name":
        return _telling(normal(t) for t in (node.name or node.id, node.id.rpartition("/")[2]))
    if rule.compare == "host":
        hosts = [a[5:] for a in node.aliases if a.startswith("host:")]
        outside = node.id.removeprefix("ext:")
        hosts += [outside if _is_host(outside) or outside != node.id else node.id.rpartition(".")[2]]
        return _telling(normal(h.split(".")[0]) for h in hosts)
    if rule.compare == "image":
        return _telling((_image(node) or node.id,)) if node.kind in (None, "app") else ()
    if rule.compare == "deployed":
        return _deployed(node, around)
    if rule.compare == "product":
        product = _product(node)
        return (product.id,) if product and product.kind in ("saas", "record") else ()
    return (a.partition(":")[2] for a in node.aliases if a.startswith("setting:"))


def _image(node: Node) -> str | None:
    """What a container's image is called, without where it lies and its version."""
    image = node.attributes.get("image")
    return image.partition("@")[0].rpartition("/")[2].partition(":")[0] if isinstance(image, str) else None


_PLATFORMS = re.compile(
    r"\.(cloudhub\.io|azurewebsites\.net|azurecontainerapps\.io|herokuapp\.com|run\.app|appspot\.com|elasticbeanstalk\.com|onrender\.com|fly\.dev"
    r"|vercel\.app|netlify\.app|cfapps\.[a-z0-9.-]+)\Z"
)
"""Platforms on which the first part of a host begins with the application's name."""


def _deployed(node: Node, around: _Around) -> Iterable[str]:
    host = node.id.removeprefix("ext:")
    if not _PLATFORMS.search(host):
        return (node.id,) if node.id in around.names else ()
    parts = host.partition(".")[0].split("-")
    begun = ("-".join(parts[:count]) for count in range(len(parts), 0, -1))
    # The longest name is meant: `orders-api-prod` is of orders-api, not of orders.
    return [next((n for n in begun if n in around.names and len(n) > 3), host)]


def _product(node: Node) -> Product | None:
    """The product that a system is, where it is one that is known."""
    from levada.landscape.importers._products import by_host, by_word

    return by_host(node.id.removeprefix("ext:")) or by_word(node.id)


def _telling(names: Iterable[str]) -> Iterator[str]:
    """The names that say which system is meant: not ``db``, ``api`` or ``postgres``, which every project has."""
    from levada.landscape.importers._products import by_word

    for name in names:
        product = by_word(name)
        if len(name) > 2 and name not in _generic() and not (product and product.kind in ("db", "broker")):
            yield name


_DOMAINS = frozenset(
    (
        "com", "net", "org", "io", "dev", "app", "cloud", "internal", "intern", "local", "lan", "corp", "home", "test",
        "example",
    )
)  # fmt: skip
"""Last parts that make a name of two parts a host, not an application of a namespace."""


def _is_host(text: str) -> bool:
    last = text.rpartition(".")[2]
    return "/" not in text and (
        (text.count(".") >= 2 and last.isalpha()) or ("." in text and last in _DOMAINS)
    )
