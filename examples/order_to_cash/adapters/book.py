"""The sales domain's own order book: a PostgreSQL database of its own."""

from collections.abc import Mapping, Sequence
from decimal import Decimal

import msgspec
from examples.order_to_cash.contracts import Line, NewOrder, OrderBook, OrderNotFound, OrderStatus, Taken

from levada import Page, coalesced, effect, resource
from levada.connect.sql import Database, Transaction

SCHEMA = (
    """CREATE TABLE IF NOT EXISTS sales_order (
         number text PRIMARY KEY, kind text NOT NULL, state text NOT NULL, reason text NOT NULL, account text NOT NULL,
         amount numeric(14,2) NOT NULL, document text, reminders int NOT NULL DEFAULT 0, run text, placed_at timestamptz NOT NULL, taken jsonb)""",
    """CREATE TABLE IF NOT EXISTS sales_line (
         seq bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, number text NOT NULL REFERENCES sales_order, line int NOT NULL,
         customer text, product text NOT NULL, price numeric(14,4) NOT NULL, quantity int NOT NULL, remaining int NOT NULL)""",
    "CREATE INDEX IF NOT EXISTS sales_line_by_product ON sales_line (product, price)",
)
COLUMNS = "number, kind, state, amount, reason, document, reminders"


class SqlOrderBook(OrderBook):
    """Orders, their lines as far as they can still be taken back, and what has become of them."""

    db: Database = resource("sales")

    async def start(self) -> None:
        """Make the tables where they are missing."""
        async with self.db.begin() as tx:
            # Several processes begin at once.
            await tx.execute("SELECT pg_advisory_xact_lock(4711)")
            for statement in SCHEMA:
                await tx.execute(statement)

    @effect.table
    async def open(
        self, number: str, kind: str, state: str, reason: str, account: str, amount: Decimal, order: NewOrder
    ) -> OrderStatus:
        async with self.db.begin() as tx:
            new = await tx.execute(
                "INSERT INTO sales_order (number, kind, state, reason, account, amount, placed_at) VALUES ($1, $2, $3, $4, $5, $6, $7) ON CONFLICT DO NOTHING",
                number, kind, state, reason, account, amount, order.placed_at,
            )  # fmt: skip
            if new and kind == "sale":
                await self._lines(tx, number, order)
            rows = await tx.fetch(f"SELECT {COLUMNS} FROM sales_order WHERE number = $1", number)
        return _status(rows[0])

    async def _lines(self, tx: Transaction, number: str, order: NewOrder) -> None:
        sold = [line for line in order.lines if line.quantity > 0]
        await tx.execute(
            "INSERT INTO sales_line (number, line, customer, product, price, quantity, remaining)"
            " SELECT $1, l.line, $2, l.product, l.price, l.quantity, l.quantity"
            " FROM unnest($3::int[], $4::text[], $5::numeric[], $6::int[]) WITH ORDINALITY AS l(line, product, price, quantity, nr) ORDER BY l.nr",
            number,
            order.customer,
            [line.number for line in sold],
            [line.product for line in sold],
            [line.price for line in sold],
            [line.quantity for line in sold],
        )

    @effect.table
    async def claim(self, number: str, by: str, state: str) -> bool:
        async with self.db.begin() as tx:
            return bool(
                await tx.execute(
                    "UPDATE sales_order SET run = $2, state = $3 WHERE number = $1 AND (run IS NULL OR run = $2)",
                    number,
                    by,
                    state,
                )
            )

    @effect.table
    async def take_back(
        self, number: str, customer: str | None, lines: tuple[Line, ...]
    ) -> tuple[Taken, ...]:
        async with self.db.begin() as tx:
            rows = await tx.fetch("SELECT taken FROM sales_order WHERE number = $1 FOR UPDATE", number)
            if rows and rows[0]["taken"] is not None:
                return msgspec.json.decode(rows[0]["taken"], type=tuple[Taken, ...])
            found: dict[str | None, list[Line]] = {}
            for line in lines:
                found.setdefault(await self._original(tx, customer, line), []).append(line)
            taken = tuple(Taken(original, tuple(some)) for original, some in found.items())
            await tx.execute(
                "UPDATE sales_order SET taken = $2::jsonb WHERE number = $1",
                number,
                msgspec.json.encode(taken).decode(),
            )
        return taken

    async def _original(self, tx: Transaction, customer: str | None, line: Line) -> str | None:
        """The sale that a line takes back from: enough pieces left; the same quantity first, then the latest."""
        rows = await tx.fetch(
            "SELECT seq, number FROM sales_line WHERE customer IS NOT DISTINCT FROM $1 AND product = $2 AND price = $3 AND remaining >= $4"
            " ORDER BY (quantity = $4) DESC, seq DESC LIMIT 1 FOR UPDATE",
            customer,
            line.product,
            line.price,
            -line.quantity,
        )
        if not rows:
            return None
        await tx.execute(
            "UPDATE sales_line SET remaining = remaining - $2 WHERE seq = $1", rows[0]["seq"], -line.quantity
        )
        return str(rows[0]["number"])

    @effect.table
    async def mark(
        self, number: str, state: str, reason: str = "", document: str | None = None, reminders: int = 0
    ) -> None:
        async with self.db.begin() as tx:
            await tx.execute(
                "UPDATE sales_order SET state = $2, reason = $3, document = coalesce($4, document), reminders = $5 WHERE number = $1",
                number,
                state,
                reason,
                document,
                reminders,
            )

    async def order(self, number: str) -> OrderStatus:
        found = await self._orders(number)
        if found is None:
            raise OrderNotFound(number=number)
        return found

    @coalesced
    async def _orders(self, numbers: Sequence[str]) -> Mapping[str, OrderStatus]:
        async with self.db.connection() as connection:
            rows = await connection.fetch(
                f"SELECT {COLUMNS} FROM sales_order WHERE number = ANY($1)", list(numbers)
            )
        return {row["number"]: _status(row) for row in rows}

    async def orders(
        self, state: str | None = None, cursor: str | None = None, limit: int = 100
    ) -> Page[OrderStatus]:
        async with self.db.connection() as connection:
            rows = await connection.fetch(
                f"SELECT {COLUMNS} FROM sales_order WHERE ($1::text IS NULL OR state = $1) AND number > $2 ORDER BY number LIMIT $3",
                state,
                cursor or "",
                min(limit, 1000) + 1,
            )
        more = len(rows) > min(limit, 1000)
        items = tuple(_status(row) for row in rows[: min(limit, 1000)])
        return Page(items, items[-1].number if more else None)


def _status(row: Mapping[str, object]) -> OrderStatus:
    return msgspec.convert(dict(row), OrderStatus)
