"""What of a plan is really done: an old connection is gone only if somebody watched long enough.

A silent edge counts only with observers that together covered at least 99 % of its window, and
with its credential revoked. Calls that were refused are no use of it, and are told. A dead observer, an outage hidden in a long good record, a month-end
batch, a log of one host of several, one that sees calls where tables are read, or the old caller under
another name must not look like success.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from datetime import date
from typing import Any, Literal, TypeAlias, get_args

from msgspec import Struct

from levada.landscape._ways import way_of
from levada.landscape.mapping import Mapped
from levada.landscape.plan_observers import Observer, PlanFileError, watched
from levada.landscape.plan_traffic import Edge, Traffic, account, bare
from levada.network.graph import Mode, Network

__all__ = ["Checked", "check", "gaps_of"]

Verdict: TypeAlias = Literal["gone", "still used", "not proven"]


class Checked(Struct, frozen=True):
    """One old connection of the plan, and every reason why it is not gone."""

    flow: str
    item: str
    verdict: Verdict
    reasons: tuple[str, ...]
    refused: tuple[str, ...] = ()
    """Who still calls and is not let in (401, 403): no use, for nothing is moved, but a caller to be told."""


def check(
    plan: dict[str, Any],
    observed: Network,
    observers: Iterable[Observer],
    revoked: Iterable[str],
    today: date,
    gaps: Sequence[str] = (),
) -> list[Checked]:
    """Every flow of the plan's retire items against what is observed now.

    ``revoked`` names flows (their ids), or consumers or credentials by any of their names. Of several
    credentials of one flow all have to be. ``today`` begins and ends in UTC, as days of observers do.
    ``gaps`` says what of the sources could not be read.

    Raises:
        PlanFileError: the plan is not of the form of ``levada plan --json``.
    """
    gone = [r.strip() for r in revoked]
    items = _items(plan)
    systems = frozenset(bare(n) for n in plan.get("systems", ()))
    traffic = Traffic(observed, [e for _, _, edges in items for e in edges], systems)
    watching = list(observers)
    out: list[Checked] = []
    for item, needed, edges in items:
        for edge in edges:
            use, doubt = traffic.last_use(edge, today)
            why = [*filter(None, (use, doubt)), *_unwatched(edge, watching, needed, today)]
            if use is None and not _is_shown(edge, watching) and not traffic.is_seen(edge, today):
                why.append(_SILENT.format(provider=edge.provider, days=edge.days))
            if use is None and gaps:
                why.append(_gaps_told(gaps))
            if (held := _credential_held(edge, gone)) is not None:
                why.append(held)
            verdict: Verdict = "still used" if use else "not proven" if why else "gone"
            out.append(Checked(edge.flow, item, verdict, tuple(why), tuple(traffic.refused(edge, today))))
    return out


_SILENT = (
    "what was given shows no call to {provider} by anybody in these {days} days: give its log, or say in observers.csv "
    "that nobody calls it any more (column silent: yes)"
)


def _is_shown(edge: Edge, watching: Sequence[Observer]) -> bool:
    """Whether traffic of the provider need not be shown: no log shows reads of tables, and its owner may say it is silent."""
    if way_of(edge.mode, edge.protocol) != "sync":
        return True
    return any(o.silent and bare(o.provider) in edge.providers for o in watching)


_UNREAD = frozenset(
    (
        "unread-lines", "malformed-file", "malformed-row", "incomplete-row", "misaligned-row", "skipped-file",
        "skipped-folder", "too-many-callers", "too-many-spans",
    )
)  # fmt: skip
_LIKE_A_LOG = re.compile(r"access|\blogs?\b|\.log|trace", re.IGNORECASE)


def gaps_of(mapped: Mapped) -> list[str]:
    """What of an import could not be read and may hold traffic: lines, files that look like logs."""
    out = [
        f"{f.source}{'' if f.line is None else f', line {f.line}'}: {f.text}"
        for f in mapped.network.findings
        if f.kind in _UNREAD
    ]
    out += [
        f"{f.source}: {f.skipped}"
        for f in mapped.files
        if f.skipped is not None and _LIKE_A_LOG.search(f.source)
    ]
    return list(dict.fromkeys(out))


def _gaps_told(gaps: Sequence[str]) -> str:
    more = f", and {len(gaps) - 1} more" if len(gaps) > 1 else ""
    return f"what was given could not be read in full: {gaps[0]}{more}"


def _items(plan: dict[str, Any]) -> list[tuple[str, float, list[Edge]]]:
    try:
        items = [i for i in (*plan["items"], *plan.get("beyond", ())) if i["kind"] == "retire"]
        return [(i["id"], float(i["exit"]["coverage"]), _edges(i["exit"], i["ledger"])) for i in items]
    except (KeyError, TypeError, ValueError, AttributeError) as exc:
        raise PlanFileError(path="plan", problem=f"it lacks {exc}") from exc


def _edges(exit_: dict[str, Any], ledger: Sequence[str]) -> list[Edge]:
    told = {e["flow"]: e for e in exit_.get("edges", ())}
    out: list[Edge] = []
    for flow in ledger:
        # A plan of before says less of each edge; the flow's id says the rest.
        row: dict[str, Any] = {**_by_id(flow), **told.get(flow, {})}
        names = row.get("names", {})
        consumer = [row["consumer"], *names.get("consumer", ())]
        provider = [row["provider"], *names.get("provider", ())]
        shown = row.get("credentials") or [n for n in consumer if n.startswith("client:")]
        out.append(
            Edge(
                flow=flow,
                consumer=row["consumer"],
                provider=row["provider"],
                object=row.get("object"),
                others=tuple(row.get("others", ())),
                mode=row.get("mode") or "unknown",
                protocol=row.get("protocol"),
                days=int(row.get("days", exit_["days"])),
                callers=frozenset(n for name in consumer for n in (bare(name), account(name))),
                identity=_bare(n for n in consumer if not n.startswith("client:")),
                credentials=_bare(shown),
                providers=_bare(provider),
                hosts=_bare(n for n in provider if n.startswith("host:")),
            )
        )
    return out


def _bare(names: Iterable[str]) -> frozenset[str]:
    return frozenset(bare(n) for n in names)


def _by_id(flow_id: str) -> dict[str, Any]:
    """Ends, object and way of a flow's id, for a plan that does not name them."""
    consumer, _, rest = flow_id.partition(" > ")
    ends, _, how = rest.rpartition(" (")
    provider, _, what = ends.partition(" [")
    mode, _, protocol = how.removesuffix(")").partition("/")
    known = mode if mode in get_args(Mode) else None
    return {
        "consumer": consumer, "provider": provider, "object": what.removesuffix("]") or None,
        "mode": known, "protocol": protocol or None,
    }  # fmt: skip


def _credential_held(edge: Edge, revoked: Sequence[str]) -> str | None:
    """What the consumer can still sign in with; None if the flow, the consumer, or all that it shows is revoked."""
    names = _bare(revoked)
    if edge.flow.casefold() in {r.casefold() for r in revoked} or names & edge.identity:
        return None
    left = sorted(edge.credentials - names)
    if edge.credentials and not left:
        return None
    if len(left) > 1 or (left and left != sorted(edge.credentials)):
        return f"not known to be revoked of its credentials: {', '.join(left)}"
    return "its credential is not known to be revoked"


def _unwatched(edge: Edge, watching: Sequence[Observer], needed: float, today: date) -> list[str]:
    way = way_of(edge.mode, edge.protocol)
    whole: list[Observer] = []
    at: dict[str, list[Observer]] = {}
    blind: set[Mode] = set()
    for one in watching:
        name = bare(one.provider)
        if name not in edge.providers:
            continue
        if way not in one.modes:
            blind |= one.modes
        elif name in edge.hosts and name != bare(edge.provider):
            at.setdefault(name, []).append(one)
        else:
            whole.append(one)
    if blind and not whole and not at:
        return [_blind(edge, way, blind)]
    if not at:
        return _gaps(edge, edge.provider, whole, needed, today)
    out: list[str] = []
    for host in sorted(edge.hosts - {bare(edge.provider)}):
        out += _gaps(edge, f"{edge.provider} at its host {host}", [*whole, *at.get(host, ())], needed, today)
    return out


def _blind(edge: Edge, way: Mode, seen: Iterable[Mode]) -> str:
    sees = f"the observer of {edge.provider} sees {' and '.join(sorted(seen))} only"
    if way == "unknown":
        return f"{sees}, and of this connection it is not known how it works: say it (mode in flows.csv), or name who sees any"
    return f"{sees}, and this is {way}: name who sees that (column mode)"


def _gaps(edge: Edge, what: str, own: Sequence[Observer], needed: float, today: date) -> list[str]:
    if not own:
        return [f"nobody is known to observe {what}"]
    proof = watched(own, edge.days, today)
    out: list[str] = []
    if proof.silent_since is not None:
        out.append(f"the observer of {what} is silent since {proof.silent_since.isoformat()}")
    if proof.share < needed:
        out.append(
            f"of the {edge.days} days before {today.isoformat()} only {proof.share:.1%} are certainly observed"
            f"{'' if what == edge.provider else f' of {what}'}, {needed:.0%} are needed"
        )
    return out
