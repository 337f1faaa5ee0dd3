"""``python -m levada.landscape.sample [FOLDER]``: map, blueprint, plan and report of the sample."""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path

from levada.landscape.blueprint_view import as_json as blueprint_json
from levada.landscape.naming import Names
from levada.landscape.plan import next_monday
from levada.landscape.plan_view import as_csv, as_ics
from levada.landscape.plan_view import as_json as plan_json
from levada.landscape.report import as_html, as_markdown, assess
from levada.landscape.report.verdict import verdict
from levada.landscape.sample import sample
from levada.network.view import as_map


def main(folder: Path) -> None:
    """Write everything into ``folder`` and say what it shows."""
    begun = time.monotonic()
    folder.mkdir(parents=True, exist_ok=True)
    mapped = sample()
    found = assess(mapped.network, next_monday(), title="A trading company's landscape")
    written = {
        "map.json": json.dumps(as_map(mapped.network), indent=2),
        "blueprint.json": json.dumps(blueprint_json(found.blueprint), indent=2),
        "plan.json": json.dumps(plan_json(found.plan), indent=2),
        "plan.csv": as_csv(found.plan),
        "plan.ics": as_ics(found.plan),
        "report.md": as_markdown(found),
        "report.html": as_html(found),
    }
    for name, text in written.items():
        (folder / name).write_text(text, encoding="utf-8", newline="")
    pilot = [b for b in found.blueprint.built if b.id == found.plan.pilot]
    kinds = sorted({f.importer for f in mapped.read if f.importer})
    lines = (
        f"Read {len(mapped.read)} files of {len(kinds)} kinds ({', '.join(kinds)}).",
        *verdict(found),
        f"Pilot: {f'the {Names(found.network).box(pilot[0])}' if pilot else 'none pays'}.",
        f"Written in {time.monotonic() - begun:.1f} s: {folder / 'report.html'} (and {', '.join(list(written)[:-1])})",
    )
    sys.stdout.write("\n".join(lines) + "\n")


if __name__ == "__main__":
    main(Path(sys.argv[1] if len(sys.argv) > 1 else "assessment"))
