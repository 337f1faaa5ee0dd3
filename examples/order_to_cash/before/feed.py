"""The orders of these ten days: the example's slice, thinned where two days hold most of it."""

from __future__ import annotations

import csv
import gzip
import io
from datetime import UTC, datetime
from pathlib import Path

from examples.order_to_cash.orders import read

__all__ = ["SLICE", "thin"]

SLICE = Path(__file__).parents[1] / "data" / "online-retail-slice.csv.gz"
_WHOLE_FROM = datetime(2010, 12, 2, 16, 30, tzinfo=UTC)


def thin(target: Path, source: Path = SLICE) -> Path:
    """Write every third invoice up to the second day's afternoon, and all later ones, as a feed; rows are not altered."""
    kept = {
        invoice.number
        for at, invoice in enumerate(read(source))
        if at % 3 == 0 or invoice.placed_at >= _WHOLE_FROM
    }
    rows = csv.reader(io.StringIO(gzip.decompress(source.read_bytes()).decode(), newline=""))
    with target.open("w", newline="") as file:
        out = csv.writer(file, lineterminator="\n")
        out.writerow(next(rows))
        out.writerows(row for row in rows if row[0] in kept)
    return target
