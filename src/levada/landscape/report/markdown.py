"""The report as Markdown, for a wiki or a pull request."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from levada.landscape.naming import Names
from levada.landscape.report.assessment import Assessment

__all__ = ["as_markdown"]


def as_markdown(a: Assessment) -> str:
    """Verdict, tax, brittle list, blueprint, plan, coverage and ledger."""
    from levada.landscape.report.verdict import recommendations, verdict

    names = Names(a.network)
    titles = {b.id: names.box(b) for b in a.blueprint.built}

    def flow(i: str) -> str:
        return names.flow(a.network.flows[i])

    parts = [
        f"# {_cell(a.title)}",
        " ".join(verdict(a)),
        "## What to decide",
        "\n".join(f"{n}. **{_cell(head)}.** {_cell(text)}" for n, (head, text) in enumerate(recommendations(a), 1))
        or "Nothing: at these costs the landscape is best left as it is.",
        "## Integration tax",
        _table(
            ("System", "Flows", "Hours a month", "Imputed", "Calls a day"),
            ((names.system(r.name) if r.name else None, r.flows, f"{r.hours_month:,.0f}", f"{r.imputed:,.0f}", _known(r.volume_day)) for r in a.tax.systems[:20]),
        ),
        "## Brittle flows",
        _table(("Flow", "Why"), ((flow(b.flow), "; ".join(b.reasons)) for b in a.brittle[:30])),
        "## Blueprint",
        _table(
            ("API or topic", "Owner", "Flows", "Consumers", "Why"),
            ((titles[b.id], b.owner, len(b.flows), len(b.consumers), b.reason) for b in a.blueprint.built),
        ),
        f"## {a.plan.days}-day plan",
        f"Pilot: {_cell(titles.get(a.plan.pilot or '', 'none fits' if a.plan.ranking else 'none pays'))}",
        _table(
            ("Start", "End", "What", "Owner", "Done when"),
            ((i.start, i.end, i.title, i.owner, i.exit["text"]) for i in (*a.plan.items, *a.plan.beyond)),
            "Nothing fits into these days." if a.plan.later else "There is nothing to do: no API or topic pays, and no flow is to be retired.",
        ),
        "## Ask those who know",
        _table(
            ("Question", "Known now", "Decisions that turn", "Hours between answers"),
            ((q.question, q.known or "nothing", q.flips, q.hours) for q in a.questions),
        ),
        "## Evidence coverage",
        _table(("Known", "Of", "All"), a.coverage()),
        "## Ledger",
        _table(("Flow", "Decision", "Via", "Because", "Reason"), ((flow(e.flow), e.decision, titles.get(e.via or "", e.via or "-"), e.because, e.reason) for e in a.blueprint.ledger)),
    ]  # fmt: skip
    return "\n\n".join(parts) + "\n"


def _table(head: Sequence[str], rows: Iterable[Sequence[object]], none: str = "None.") -> str:
    lines = ["| " + " | ".join(head) + " |", "|" + "---|" * len(head)]
    lines += ["| " + " | ".join(_cell(_known(v)) for v in row) + " |" for row in rows]
    return "\n".join(lines) if len(lines) > 2 else none


def _known(value: object) -> str:
    return "unknown" if value is None else f"{value:,.0f}" if isinstance(value, float) else str(value)


def _cell(text: str) -> str:
    text = " ".join(text.split())
    for mark in "\\`*_[]<>|":
        text = text.replace(mark, "\\" + mark)
    return text
