"""Makes the slice of the feed that travels with the example.

``python -m examples.order_to_cash.orders.slicing FEED.csv.gz SLICE.csv.gz`` writes the same bytes each time.
"""

from __future__ import annotations

import gzip
import sys
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from examples.order_to_cash.orders.classify import Kind, Wart, classify
from examples.order_to_cash.orders.feed import read
from examples.order_to_cash.orders.matching import Credit, match
from examples.order_to_cash.orders.model import Invoice

__all__ = ["choose", "write"]

_FIRST_SALES, _EACH_WART, _CORRECTIONS, _NOT_SALES, _CREDITS = 250, 12, 20, 15, 40


def choose(invoices: Sequence[Invoice]) -> set[str]:
    """The numbers in the slice; the rules stand in the data's README."""
    notes = match(invoices)
    chosen = {max(invoices, key=lambda invoice: len(invoice.lines)).number}
    seen: Counter[str] = Counter()
    for invoice in invoices:
        found = classify(invoice)
        short = len(invoice.lines) <= 60
        for sort in _sorts(invoice, found.kind, found.warts, notes):
            seen[sort] += 1
            if short and seen[sort] <= _share(sort):
                chosen.add(invoice.number)
    # What a chosen credit takes back belongs in the slice, or the credit would lose its original.
    for number in sorted(chosen & notes.keys()):
        chosen.update(notes[number].originals)
    return chosen


def _sorts(invoice: Invoice, kind: Kind, warts: frozenset[Wart], notes: dict[str, Credit]) -> list[str]:
    sorts = [kind.value, *(f"{kind.value}, {wart.value}" for wart in warts)]
    if kind is Kind.CANCELLATION:
        credit = notes[invoice.number]
        sorts.append("credit with original" if credit.originals else "credit without original")
        sorts.extend("several candidates" for line in credit.lines[:1] if line.candidates > 1)
    return sorts


def _share(sort: str) -> int:
    return {
        Kind.SALE.value: _FIRST_SALES, Kind.STOCK_CORRECTION.value: _CORRECTIONS,
        Kind.NOT_A_SALE.value: _NOT_SALES, Kind.CANCELLATION.value: _CREDITS,
        "credit with original": _CREDITS // 2,
    }.get(sort, _EACH_WART)  # fmt: skip


def write(feed: Path, target: Path) -> int:
    """Copy the chosen invoices' rows, byte for byte, and tell how many rows."""
    numbers = choose(read(feed))
    header, *rows = gzip.decompress(feed.read_bytes()).splitlines(keepends=True)
    kept = [row for row in rows if row.split(b",", 1)[0].decode() in numbers]
    # mtime 0: the same feed gives the same file.
    target.write_bytes(gzip.compress(header + b"".join(kept), 9, mtime=0))
    return len(kept)


if __name__ == "__main__":
    print(write(Path(sys.argv[1]), Path(sys.argv[2])), "rows")
