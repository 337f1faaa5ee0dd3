"""One system under many names: rules that explain themselves, merges that a person accepts.

Rules only suggest. A suggestion that is accepted in the review file is applied at this
and every later import; one that is refused is not made again.
"""

from __future__ import annotations

import json
import tomllib
from collections.abc import Iterable, Iterator, Mapping
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import msgspec
from msgspec import Struct

from levada._errors import LevadaError
from levada.network._yaml import YamlError, line_of, read_yaml
from levada.network.graph import Network, Node
from levada.network.names import normal

if TYPE_CHECKING:
    from levada.landscape.mapping import Mapped

__all__ = ["REVIEW_NAME", "ReviewError", "Suggestion", "closed", "load_review", "suggest", "write_review"]

REVIEW_NAME = "levada-review.yaml"
FORMAT = 1


class ReviewError(LevadaError, code="LV1903"):
    """{path}, line {line}: this is no review of merges: {problem}. Mend the line, or take the file away and map again."""


class Suggestion(Struct, frozen=True, omit_defaults=True, kw_only=True):
    """Two ids that may be one system: the one to keep, the one to drop, by which rule, and why."""

    keep: str
    drop: str
    rule: str
    reason: str
    confidence: float
    decision: Literal["accept", "refuse", "open"] = "open"
    by: str | None = None
    evidence: tuple[str, ...] = ()


class Rule(Struct, frozen=True):
    """A rule as data: what is compared, how sure it is, and the sentence that explains it."""

    name: str
    compare: Literal["alias", "name", "host", "product", "setting"]
    confidence: float
    because: str
    prefix: str = ""


@cache
def rules() -> tuple[Rule, ...]:
    """The rules of ``rules.toml``, surest first."""
    data = tomllib.loads(files("levada.landscape").joinpath("rules.toml").read_text("utf-8"))
    return tuple(sorted((msgspec.convert(r, Rule) for r in data["rule"]), key=lambda r: -r.confidence))


def suggest(network: Network) -> list[Suggestion]:
    """Merges worth a look, surest first; a pair is suggested once, by its surest rule."""
    degree: dict[str, int] = {}
    for flow in network.flows.values():
        for end in (flow.consumer, flow.provider):
            degree[end] = degree.get(end, 0) + 1
    found: dict[tuple[str, str], Suggestion] = {}
    for rule in rules():
        groups: dict[str, list[Node]] = {}
        for node in network.nodes.values():
            for key in set(_keys(rule, node)):
                groups.setdefault(key, []).append(node)
        for key, nodes in sorted(groups.items()):
            if 1 < len(nodes) <= 20:
                for suggestion in _pairs(rule, key, nodes, degree):
                    found.setdefault((suggestion.keep, suggestion.drop), suggestion)
    return sorted(found.values(), key=lambda s: (-s.confidence, s.keep, s.drop))


def _pairs(rule: Rule, key: str, nodes: list[Node], degree: Mapping[str, int]) -> Iterator[Suggestion]:
    first, *others = sorted(
        nodes, key=lambda n: (n.owner is None, n.kind is None, -degree.get(n.id, 0), n.id)
    )
    for other in others:
        if first.kind and other.kind and first.kind != other.kind:
            continue  # a database and the application before it may share a name
        yield Suggestion(
            keep=first.id,
            drop=other.id,
            rule=rule.name,
            reason=rule.because.format(key=key, keep=first.id, drop=other.id),
            confidence=rule.confidence,
            evidence=tuple(
                f"{e.source}:{e.line}" if e.line else e.source for n in (first, other) for e in n.evidence[:2]
            ),
        )


def _keys(rule: Rule, node: Node) -> Iterable[str]:
    if rule.compare == "alias":
        return (a.casefold() for a in node.aliases if a.startswith(rule.prefix))
    if rule.compare == "name":
        return (normal(t) for t in {node.name or node.id, node.id.rpartition("/")[2]} if len(normal(t)) > 2)
    if rule.compare == "host":
        hosts = [a[5:] for a in node.aliases if a.startswith("host:")]
        outside = node.id.removeprefix("ext:")
        hosts += [outside if _is_host(outside) or outside != node.id else node.id.rpartition(".")[2]]
        return (normal(h.split(".")[0]) for h in hosts if len(normal(h.split(".")[0])) > 2)
    if rule.compare == "product":
        from levada.landscape.importers._products import by_host, by_word

        product = by_host(node.id.removeprefix("ext:")) or by_word(node.id)
        return (product.id,) if product and product.kind in ("saas", "record") else ()
    return (a.partition(":")[2] for a in node.aliases if a.startswith("setting:"))


_DOMAINS = frozenset(
    [
        "com",
        "net",
        "org",
        "io",
        "dev",
        "app",
        "cloud",
        "internal",
        "intern",
        "local",
        "lan",
        "corp",
        "home",
        "test",
        "example",
    ]
)
"""Last parts that make a name of two parts a host, not an application of a namespace."""


def _is_host(text: str) -> bool:
    last = text.rpartition(".")[2]
    return "/" not in text and (
        (text.count(".") >= 2 and last.isalpha()) or ("." in text and last in _DOMAINS)
    )


def closed(names: Mapping[str, str]) -> dict[str, str]:
    """Renamings followed to their end; one that leads back to itself is left out."""
    out: dict[str, str] = {}
    for start in names:
        at, seen = start, {start}
        while at in names and names[at] not in seen:
            at = names[at]
            seen.add(at)
        if at != start:
            out[start] = at
    return out


def load_review(path: Path) -> list[Suggestion]:
    """The suggestions of a review file with what a person decided; empty if there is no file.

    Raises:
        ReviewError: Malformed, or with a word that is no decision.
    """
    if not path.exists():
        return []
    try:
        documents = list(read_yaml(path.read_text(encoding="utf-8-sig")))
    except YamlError as exc:
        raise ReviewError(path=path, line=exc.line or "?", problem=str(exc)) from exc
    data: Any = documents[0] if documents else None
    if not isinstance(data, dict) or data.get("levada_review") != FORMAT:
        raise ReviewError(path=path, line=1, problem=f"it does not begin with levada_review: {FORMAT}")
    out: list[Suggestion] = []
    merges: Any = data.get("merges") or []
    for number, row in enumerate(merges):
        try:
            out.append(msgspec.convert(row, Suggestion))
        except msgspec.ValidationError as exc:
            raise ReviewError(path=path, line=line_of(merges, number) or "?", problem=str(exc)) from exc
    return out


def write_review(path: Path, mapped: Mapped) -> int:
    """Write the review file: what was decided stays, new suggestions are added; returns how many are open."""
    decided = [s for s in load_review(path) if s.decision != "open"]
    known = {(s.keep, s.drop) for s in decided}
    fresh = [s for s in mapped.suggestions if (s.keep, s.drop) not in known]
    save_review(path, [*decided, *fresh])
    return len(fresh)


def save_review(path: Path, suggestions: Iterable[Suggestion]) -> None:
    """Write these suggestions as a review file."""
    lines = [
        "# Names that may be one system. Set decision to accept or refuse; map again to apply.",
        f"levada_review: {FORMAT}",
        "merges:",
    ]
    for suggestion in suggestions:
        row: dict[str, Any] = {"decision": suggestion.decision, **msgspec.to_builtins(suggestion)}
        for number, (name, value) in enumerate(row.items()):
            start = "  - " if number == 0 else "    "
            lines.append(
                f"{start}{name}: {value if name == 'decision' else json.dumps(value, ensure_ascii=False)}"
            )
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
