"""``python -m examples.order_to_cash.before``: ten days point to point, what Levada makes of them, and the same orders after."""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import shutil
import sys
import tempfile
from datetime import datetime
from pathlib import Path
from typing import Any

import msgspec
from examples.order_to_cash import shown
from examples.order_to_cash.before.assessment import Assessed, assess
from examples.order_to_cash.before.compare import Row, compare
from examples.order_to_cash.before.feed import thin
from examples.order_to_cash.before.incidents import INCIDENTS
from examples.order_to_cash.before.oracle import against_map, edges
from examples.order_to_cash.before.world import Lived, live
from examples.order_to_cash.orders import FeedError
from rich.console import Console
from rich.table import Table

_JOBS = 191
LANDSCAPE = Path(__file__).with_name("landscape")


def main() -> int:
    """0 if the map is the oracle's (for the orders and incidents that the oracle knows); 1 if not; 2 for a wrong input."""
    parser = argparse.ArgumentParser(prog="make before", description=__doc__)
    parser.add_argument(
        "--orders", type=Path, default=None, help="another feed; default: a part of the example's slice"
    )
    parser.add_argument(
        "--out",
        type=Path,
        default=Path("before-landscape"),
        help="a folder that is new; what is left lies there",
    )
    parser.add_argument(
        "--configurations",
        action="store_true",
        help="write the landscape's configurations alone, and run nothing",
    )
    parser.add_argument("--calm", action="store_true", help="switch no faults on")
    parser.add_argument("--no-after", action="store_true", help="do not run the network on the same orders")
    args = parser.parse_args()
    if args.out.exists() and any(args.out.iterdir()):
        print(f"{args.out} is not empty. Name a new folder: --out FOLDER, or remove it.", file=sys.stderr)
        return 2
    if args.orders is not None and not args.orders.exists():
        print(f"There is no file {args.orders}. Name the feed: make before ORDERS=path", file=sys.stderr)
        return 2
    args.out.mkdir(parents=True, exist_ok=True)
    if args.configurations:
        shutil.copytree(LANDSCAPE, args.out / "landscape")
        print(f"The configurations lie in {args.out}/landscape; nothing was run.")
        return 0
    try:
        return asyncio.run(_main(args, args.out.resolve()))
    except FeedError as error:
        print(error, file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        return 130


async def _main(args: argparse.Namespace, out: Path) -> int:
    console = shown.console()
    feed = (
        thin(out / "orders.csv")
        if args.orders is None
        else Path(shutil.copy(args.orders, out / "orders.csv"))
    )
    console.print(
        "\n[bold]Order to cash, before[/]: ERP, billing, warehouse and payments, wired point to point\n"
    )
    # PostgreSQL runs as another user where this one is root: it has to reach the folder.
    folder = Path(tempfile.mkdtemp(prefix="lv-before-"))
    os.chmod(folder, 0o755)  # noqa: PTH101 - no file system is waited for
    with console.status("The systems start") as status:

        def moved(at: datetime, jobs: int) -> None:
            status.update(f"{at:%d %b %H:%M}, job {jobs} of about {_JOBS}")

        try:
            lived = await live(folder, feed, moved, calm=args.calm)
            shutil.copytree(lived.landscape, out / "landscape")
        finally:
            shutil.rmtree(folder, ignore_errors=True)
        status.update("levada map, blueprint, plan, report")
        assessed = await assess(out / "landscape", out / "report.html")
        demo = None if args.no_after else await _after(feed, out, status)
    wrong = against_map(assessed.map) if args.orders is None and not args.calm else []
    rows = compare(lived, assessed, demo)
    _tell(console, lived, assessed, rows, wrong, calm=args.calm)
    report = {
        "calls": [[*key, *counts] for key, counts in sorted(lived.calls.items())],
        "pains": lived.pains,
        "comparison": rows,
        "map_differs": wrong,
    }
    (out / "before-report.json").write_bytes(msgspec.json.format(msgspec.json.encode(report), indent=1))
    tried = f"{shown.levada()} map {args.out}/landscape"
    left = f"Left in {args.out}: landscape/ (try: {tried}), report.html, before-report.json\n"
    console.print(shown.said(left))
    return 1 if wrong else 0


async def _after(feed: Path, out: Path, status: Any) -> dict[str, Any]:
    """The same orders over the network: the demo, with its own incidents."""
    status.update("The same orders over the network (make demo)")
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "examples.order_to_cash.demo", "--orders", str(feed), "--out", str(out),
        stdin=asyncio.subprocess.DEVNULL, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT,
        env={**os.environ, "CI": "true"},
    )  # fmt: skip
    said, _ = await process.communicate()
    if not (out / "demo-report.json").exists():
        raise RuntimeError(f"the demo failed: {said.decode(errors='replace')[-800:]}")
    return json.loads((out / "demo-report.json").read_bytes())


def _tell(
    console: Console, lived: Lived, assessed: Assessed, rows: list[Row], wrong: list[str], *, calm: bool
) -> None:
    calls = sum(count for count, _ in lived.calls.values())
    console.print(
        shown.said(
            f"Ten days, {lived.orders} orders, {lived.jobs} runs of cron jobs, {calls:,} calls, in {lived.seconds:.0f} s"
        )
    )
    for incident in INCIDENTS if not calm else ():
        if incident.text:
            console.print(shown.said(f"[yellow]![/] {incident.at:%d %b %H:%M}  {incident.text}"))
    found = len({(f["consumer"], f["provider"], f["mode"], f.get("protocol")) for f in assessed.map["flows"]})
    verdict = (
        "[green]as the hand-kept list has them[/]"
        if not wrong
        else f"[red]{len(wrong)} differ from the hand-kept list of {len(edges())}[/]"
    )
    systems = len(assessed.map["systems"])
    console.print()
    console.print(shown.said(f"levada map found {found} connections of {systems} systems, {verdict}"))
    for text in wrong[:20]:
        console.print(f"  ✗ {text}", style="red", markup=False)
    pilot = assessed.plan["pilot"]
    console.print(shown.said(f"levada plan begins with {pilot}: it has the flow that hurts most\n"))
    notes = [row.note for row in rows if row.note]
    console.print(table(rows, notes))
    for number, note in enumerate(notes, 1):
        console.print(f"  {number}) {note}", style="dim", markup=False, soft_wrap=True)
    console.print()


def table(rows: list[Row], notes: list[str]) -> Table:
    """Before and after side by side; where the terminal is narrow, cells take several lines."""
    made = Table(box=None, padding=(0, 2), header_style="dim")
    for name in ("", "before", "after"):
        made.add_column(name, justify="left" if not name else "right", overflow="fold")
    made.add_column("", style="dim", overflow="fold")
    for row in rows:
        mark = f" {notes.index(row.note) + 1})" if row.note else ""
        made.add_row(row.what, row.before, "" if row.after is None else row.after, f"{row.how}{mark}")
    return made


if __name__ == "__main__":
    raise SystemExit(main())
