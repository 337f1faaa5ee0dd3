"""A plan as JSON (``plan.schema.json``), CSV for Jira, issues for GitHub, and ICS for calendars."""

from __future__ import annotations

import csv
import io
from datetime import timedelta
from typing import Any

from levada.landscape.plan import Item, Plan
from levada.network.tables import guarded

__all__ = ["as_csv", "as_github", "as_ics", "as_json"]


def as_json(plan: Plan) -> dict[str, Any]:
    """The shape of ``levada plan --json``; members may be added, none is renamed."""
    return {
        "start": plan.start.isoformat(),
        "days": plan.days,
        "pilot": plan.pilot,
        "items": [_item(i) for i in plan.items],
        "beyond": [_item(i) for i in plan.beyond],
        "critical": list(plan.critical),
        "later": list(plan.later),
        "systems": list(plan.systems),
        "ranking": [
            {
                "id": r.box,
                "pain_hours_month": r.pain,
                "imputed_hours_month": r.imputed,
                "volume_day": r.volume_day,
                "effort_hours": r.effort,
                "pareto": r.pareto,
                "stability": r.stability,
            }
            for r in plan.ranking
        ],
    }


def _item(i: Item) -> dict[str, Any]:
    return {
        "id": i.id,
        "kind": i.kind,
        "title": i.title,
        "owner": i.owner,
        "after": list(i.after),
        "start": i.start.isoformat(),
        "end": i.end.isoformat(),
        "exit": i.exit,
        "ledger": list(i.ledger),
        "hours": i.hours,
        "risk": i.risk,
        "before": i.before,
        "target": i.target,
    }


def as_github(plan: Plan) -> list[dict[str, Any]]:
    """Bodies for GitHub's "create an issue": title, body, labels; for ``gh api`` or a script of your own."""
    return [
        {
            "title": i.title,
            "body": "\n".join(
                (
                    f"**Done when** {i.exit['text']}.",
                    "",
                    f"- Item: `{i.id}`",
                    f"- Owner: {i.owner or 'unknown'}",
                    f"- Days: {i.start.isoformat()} to {i.end.isoformat()}",
                    f"- After: {', '.join(f'`{a}`' for a in i.after) or 'nothing'}",
                    f"- Risk: {i.risk}",
                    f"- Before: {_told(i.before)}; after: {_told(i.target)}",
                    *(["", "Flows:", *(f"- [ ] `{f}`" for f in i.ledger)] if i.ledger else []),
                )
            ),
            "labels": ["90-day plan", i.kind],
        }
        for i in (*plan.items, *plan.beyond)
    ]


def _told(measures: dict[str, float | None]) -> str:
    return ", ".join(f"{k} {'unknown' if v is None else f'{v:,.6g}'}" for k, v in measures.items())


def as_csv(plan: Plan) -> str:
    """One row an item, with the columns that Jira's importer knows."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(
        (
            "Issue Id",
            "Summary",
            "Issue Type",
            "Assignee",
            "Start Date",
            "Due Date",
            "Labels",
            "Blocked By",
            "Description",
        )
    )
    for i in (*plan.items, *plan.beyond):
        text = f"Done when: {i.exit['text']}. Risk: {i.risk}. Before: {_told(i.before)}; after: {_told(i.target)}."
        row = (
            i.id,
            i.title,
            "Task",
            i.owner,
            i.start.isoformat(),
            i.end.isoformat(),
            i.kind,
            ";".join(i.after),
            text,
        )
        writer.writerow([guarded(v) for v in row])
    return out.getvalue()


def as_ics(plan: Plan) -> str:
    """A calendar of whole-day events (RFC 5545): stable ids, so that a second import updates."""
    lines = ["BEGIN:VCALENDAR", "VERSION:2.0", "PRODID:-//Levada//90-day plan//EN", "CALSCALE:GREGORIAN"]
    for i in (*plan.items, *plan.beyond):
        lines += [
            "BEGIN:VEVENT",
            f"UID:{_text(i.id)}@levada-plan",
            f"DTSTAMP:{plan.start:%Y%m%d}T000000Z",
            f"DTSTART;VALUE=DATE:{i.start:%Y%m%d}",
            f"DTEND;VALUE=DATE:{i.end + timedelta(days=1):%Y%m%d}",
            f"SUMMARY:{_text(i.title)}",
            f"DESCRIPTION:{_text('Owner: ' + (i.owner or 'unknown') + '. Done when: ' + i.exit['text'])}",
            "TRANSP:TRANSPARENT",
            "END:VEVENT",
        ]
    lines.append("END:VCALENDAR")
    return "".join(_folded(line) + "\r\n" for line in lines)


def _text(text: str) -> str:
    for mark, written in (("\\", "\\\\"), (";", "\\;"), (",", "\\,"), ("\r", ""), ("\n", "\\n")):
        text = text.replace(mark, written)
    return text


def _folded(line: str) -> str:
    """Lines of at most 75 octets, cut between characters."""
    parts: list[str] = [""]
    size = 0
    for char in line:
        width = len(char.encode())
        if size + width > 74:
            parts.append(" ")
            size = 1
        parts[-1] += char
        size += width
    return "\r\n".join(parts)
