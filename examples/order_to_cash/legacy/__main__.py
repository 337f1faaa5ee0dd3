"""``python -m examples.order_to_cash.legacy NAME --port 0 --dir DIR``: one system alone, until SIGTERM."""

from __future__ import annotations

import argparse
import asyncio
import json
import signal
from pathlib import Path

from examples.order_to_cash.legacy.faults import Faults
from examples.order_to_cash.legacy.registry import NAMES, make

_SLICE = Path(__file__).parents[1] / "data" / "online-retail-slice.csv.gz"


def main() -> None:
    parser = argparse.ArgumentParser(prog="legacy", description=__doc__)
    parser.add_argument("system", choices=NAMES)
    parser.add_argument("--port", type=int, default=0, help="0 takes a free one")
    parser.add_argument("--dir", type=Path, required=True, help="where the system keeps what it holds")
    parser.add_argument("--orders", type=Path, default=_SLICE, help="feed that the ERPs are seeded from")
    parser.add_argument("--webhook", default="", help="payments: where webhooks go")
    parser.add_argument("--secret", default="whsec-demo", help="payments: the webhooks' signing secret")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument(
        "--never", type=float, default=0.1, help="payments: share of customers that never pay"
    )
    parser.add_argument(
        "--delay", type=float, nargs=2, default=None, metavar=("LEAST", "MOST"), help="seconds"
    )
    parser.add_argument(
        "--partial", type=float, default=0.0, help="warehouse: share of orders dispatched in two parts"
    )
    asyncio.run(_serve(parser.parse_args()))


async def _serve(args: argparse.Namespace) -> None:
    over = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, over.set)
    async with make(args.system, args, Faults(seed=args.seed)) as system:
        print(json.dumps(system.ready()), flush=True)
        await over.wait()


if __name__ == "__main__":
    main()
