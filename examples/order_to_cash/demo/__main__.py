"""``python -m examples.order_to_cash.demo``: everything, on real orders, while things break."""

from __future__ import annotations

import argparse
import asyncio
import os
import shutil
import sys
import tempfile
from pathlib import Path

from examples.order_to_cash.demo.play import Options, play

SLICE = Path(__file__).parents[1] / "data" / "online-retail-slice.csv.gz"


def main() -> int:
    """Run the demo; 0 if it reconciles."""
    parser = argparse.ArgumentParser(prog="make demo", description=__doc__)
    parser.add_argument(
        "--orders", type=Path, default=SLICE, help="the feed; default: the slice that comes with the example"
    )
    parser.add_argument(
        "--erp", choices=["old", "new"], default="old", help="which ERP stands behind the network"
    )
    parser.add_argument("--workers", type=int, default=2, help="processes that serve and work")
    parser.add_argument("--port", type=int, default=0, help="the gateway's port; 0 takes a free one")
    parser.add_argument("--calm", action="store_true", help="break nothing")
    parser.add_argument(
        "--out", type=Path, default=Path(), help="where demo-report.json and demo-report.html go"
    )
    args = parser.parse_args()
    if not args.orders.exists():
        print(f"There is no file {args.orders}. Name the feed: make demo ORDERS=path", file=sys.stderr)
        return 2
    interactive = sys.stdout.isatty() and os.environ.get("CI") != "true"
    # PostgreSQL runs as another user where this one is root: it has to reach the folder.
    folder = Path(tempfile.mkdtemp(prefix="lv-demo-"))
    folder.chmod(0o755)
    options = Options(
        orders=args.orders.resolve(), overlay="erp2" if args.erp == "new" else None, workers=args.workers, port=args.port,
        calm=args.calm, out=args.out, folder=folder, interactive=interactive,
    )  # fmt: skip
    try:
        return asyncio.run(play(options))
    except KeyboardInterrupt:
        return 130
    finally:
        shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    raise SystemExit(main())
