"""What an invoice of the feed is, before anybody judges it."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal

from msgspec import Struct

__all__ = ["Invoice", "Line"]

PENNY = Decimal("0.01")


class Line(Struct, frozen=True):
    """One line as it stands in the file; equal lines of one invoice stay two lines."""

    number: int
    """Place in the invoice, from 1."""
    product: str
    description: str
    """May be empty: the feed has 113 such lines."""
    quantity: int
    """Negative in cancellations and stock corrections."""
    price: Decimal
    """Per piece, as printed, up to four decimals."""
    source_line: int
    """Line of the file, the header being line 1."""

    @property
    def amount(self) -> Decimal:
        """Quantity times price, not rounded: rounding is the invoice's business."""
        return self.quantity * self.price


class Invoice(Struct, frozen=True):
    """One invoice number with all its lines, in the order of the file."""

    number: str
    placed_at: datetime
    """UTC. The feed prints London time of December, which is UTC; the first line's time counts."""
    customer: str | None
    country: str
    lines: tuple[Line, ...]

    @property
    def cancels(self) -> bool:
        """The feed marks a cancellation with a ``C`` before the number."""
        return self.number.startswith("C")

    @property
    def total(self) -> Decimal:
        """The exact sum of the lines, rounded once, half up, to the penny."""
        return sum((line.amount for line in self.lines), Decimal()).quantize(PENNY, "ROUND_HALF_UP")
