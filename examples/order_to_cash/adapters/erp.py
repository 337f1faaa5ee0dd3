"""The old ERP: PostgreSQL with tables of its own, German names and numeric codes."""

from collections.abc import Mapping, Sequence
from decimal import Decimal

from examples.order_to_cash.adapters.pieces import by_product
from examples.order_to_cash.contracts import (
    CreditExceeded,
    Customer,
    CustomerBlocked,
    CustomerNotFound,
    Customers,
    Hold,
    OutOfStock,
    Piece,
    Reservation,
    Stock,
)

from levada import Protect, coalesced, effect, resource
from levada.connect.errors import RemoteFault
from levada.connect.sql import Database

BLOCKED, NO_CREDIT, NO_STOCK = "KD001", "KD002", "23514"


class ErpCustomers(Customers, protect=Protect(concurrency=16)):
    """Customers and their credit in the old ERP."""

    db: Database = resource("erp")

    async def customer(self, account: str) -> Customer:
        found = await self._customers(account)
        if found is None:
            raise CustomerNotFound(account=account)
        return found

    @coalesced
    async def _customers(self, accounts: Sequence[str]) -> Mapping[str, Customer]:
        async with self.db.connection() as connection:
            rows = await connection.fetch(
                "SELECT k.kd_nr, k.sperr_kz, l.land_bez FROM kunde k JOIN kunde_adr a ON a.kd_nr = k.kd_nr AND a.adr_art = 'R'"
                " JOIN land l ON l.land_kz = a.land_kz WHERE k.kd_nr = ANY($1)",
                [int(a) for a in accounts],
            )
        return {str(r["kd_nr"]): Customer(str(r["kd_nr"]), r["land_bez"], r["sperr_kz"] == "J") for r in rows}

    @effect.table
    async def hold(self, account: str, order: str, amount: Decimal) -> Hold:
        try:
            async with self.db.begin() as tx:
                rows = await tx.fetch(
                    "INSERT INTO kreditvormerk (kd_nr, betrag, auftrag_nr) VALUES ($1, $2, $3) RETURNING kv_id",
                    int(account),
                    amount,
                    order,
                )
        except RemoteFault as fault:
            if fault.fault == BLOCKED:
                raise CustomerBlocked(account=account) from None
            if fault.fault == NO_CREDIT:
                raise CreditExceeded(account=account) from None
            raise
        return Hold(str(rows[0]["kv_id"]), order, amount)

    @effect.table
    async def release(self, id: str) -> None:
        async with self.db.begin() as tx:
            await tx.execute(
                "UPDATE kreditvormerk SET status_cd = 2 WHERE kv_id = $1 AND status_cd = 1", int(id)
            )

    @effect.table
    async def settle(self, id: str) -> None:
        async with self.db.begin() as tx:
            rows = await tx.fetch(
                "UPDATE kreditvormerk SET status_cd = 3 WHERE kv_id = $1 AND status_cd = 1 RETURNING kd_nr, betrag, auftrag_nr",
                int(id),
            )
            for row in rows:
                await tx.execute(
                    "INSERT INTO buchung (kd_nr, beleg, sh_kz, betrag) VALUES ($1, $2, 'H', $3)",
                    row["kd_nr"],
                    row["auftrag_nr"],
                    row["betrag"],
                )


class ErpStock(Stock, protect=Protect(concurrency=16)):
    """Stock in the old ERP, kept for each order and article."""

    db: Database = resource("erp")

    @effect.table
    async def reserve(self, order: str, pieces: tuple[Piece, ...]) -> Reservation:
        wanted = by_product(pieces)
        try:
            async with self.db.begin() as tx:
                # In one order for everybody, or two orders wait for each other's shelves.
                await tx.execute(
                    "INSERT INTO reservierung (auftrag_nr, art_nr, lager_cd, menge)"
                    " SELECT $1, w.art_nr, 1, w.menge FROM unnest($2::text[], $3::int[]) AS w(art_nr, menge) ORDER BY w.art_nr",
                    order,
                    list(wanted),
                    list(wanted.values()),
                )
        except RemoteFault as fault:
            if fault.fault == NO_STOCK:
                raise OutOfStock(product=", ".join(wanted)[:200]) from None
            raise
        return Reservation(order, sum(wanted.values()))

    @effect.table
    async def release(self, order: str) -> None:
        await self._end(order, 2)

    @effect.table
    async def ship(self, order: str) -> None:
        await self._end(order, 3)

    async def _end(self, order: str, status: int) -> None:
        async with self.db.begin() as tx:
            await tx.fetch(
                "SELECT 1 FROM bestand b JOIN reservierung r USING (art_nr, lager_cd) WHERE r.auftrag_nr = $1 AND r.status_cd = 1 ORDER BY b.art_nr FOR UPDATE OF b",
                order,
            )
            await tx.execute(
                "UPDATE reservierung SET status_cd = $2 WHERE auftrag_nr = $1 AND status_cd = 1",
                order,
                status,
            )
