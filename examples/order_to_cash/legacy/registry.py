"""The systems by name."""

from __future__ import annotations

from argparse import Namespace

from examples.order_to_cash.legacy.faults import Faults
from examples.order_to_cash.legacy.system import LegacySystem

__all__ = ["NAMES", "make"]

NAMES = ("erp", "erp2", "billing", "warehouse", "payments")


def make(name: str, args: Namespace, faults: Faults) -> LegacySystem:
    """The system, not yet started. Imports only what it needs: each has heavy parts of its own."""
    if name == "payments":
        from examples.order_to_cash.legacy.payments import Payments

        delay = tuple(args.delay) if args.delay else (0.05, 0.5)
        return Payments(
            args.dir, port=args.port, webhook=args.webhook, secret=args.secret, seed=args.seed, never=args.never,
            delay=delay, faults=faults,
        )  # fmt: skip
    if name == "billing":
        from examples.order_to_cash.legacy.billing import Billing

        return Billing(args.dir, port=args.port, faults=faults)
    if name == "warehouse":
        from examples.order_to_cash.legacy.warehouse import Warehouse

        delay = tuple(args.delay) if args.delay else (0.5, 2.0)
        return Warehouse(
            args.dir, port=args.port, delay=delay, partial=args.partial, seed=args.seed, faults=faults
        )
    from examples.order_to_cash.orders import read

    if name == "erp2":
        from examples.order_to_cash.legacy.erp2 import Erp2

        return Erp2(args.dir, orders=read(args.orders), port=args.port, faults=faults)
    from examples.order_to_cash.legacy.erp import Erp

    return Erp(args.dir, orders=read(args.orders), port=args.port, faults=faults)
