"""The 90-day plan as a Gantt chart."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from datetime import timedelta
from html import escape

from levada.landscape.plan import Plan
from levada.landscape.report._svg import fitted, titled

__all__ = ["gantt"]

LEFT, WIDTH = 262, 728


def _name(title: str, *, bold: bool) -> str:
    text = fitted(title, 12.5, LEFT - 16, bold=bold)
    return f"{titled(title) if text != title else ''}{escape(text)}"


def gantt(plan: Plan, titles: Mapping[str, str]) -> str:
    """The plan by API or topic, one row each, with its phases one after another."""
    rows: dict[str, list[int]] = defaultdict(list)
    items = (*plan.items, *plan.beyond)
    for n, item in enumerate(items):
        rows[item.id.partition(":")[2]].append(n)
    height = 44 + 26 * len(rows)
    scale = WIDTH / plan.days
    out = [f'<svg class="gantt" viewBox="0 0 1000 {height}" role="img" aria-label="{plan.days}-day plan">']
    for week in range(0, plan.days, 7):
        x = LEFT + week * scale
        day = plan.start + timedelta(days=week)
        out.append(f'<path class="grid" d="M{x:.1f} 24V{height}"/>')
        if week % 14 == 0:
            out.append(f'<text class="small" x="{x + 3:.1f}" y="16">{day:%d %b}</text>')
    for line, (name, held) in enumerate(rows.items()):
        y = 32 + 26 * line
        pilot = " pilot" if name == plan.pilot else ""
        out.append(
            f'<text class="row{pilot}" x="{LEFT - 8}" y="{y + 13}" text-anchor="end">{_name(titles.get(name) or items[held[0]].title, bold=bool(pilot))}</text>'
        )
        for item in (items[n] for n in held):
            x = LEFT + (item.start - plan.start).days * scale
            days = min((item.end - item.start).days + 1, plan.days - (item.start - plan.start).days)
            width = max(2.0, days * scale - 1)
            text = f"{item.title}: {item.start} to {item.end}. Done when {item.exit['text']}"
            out.append(
                f'<rect class="{item.kind}" x="{x:.1f}" y="{y}" width="{width:.1f}" height="18" rx="3">'
                f"{titled(text)}</rect>"
            )
    return "".join(out) + "</svg>"
