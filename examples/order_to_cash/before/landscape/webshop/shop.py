"""The shop's back end: what customers order goes straight into the tables of the ERP."""

import asyncio
import json
import os
import sys
from datetime import datetime
from decimal import Decimal

import asyncpg


async def main():
    erp = await asyncpg.connect(
        os.environ["ERP_DATABASE_URL"],
        host=os.environ.get("PGHOSTADDR"),
        port=int(os.environ.get("PGPORT", "5432")),
    )
    for line in iter(sys.stdin.readline, ""):
        order = json.loads(line)
        print(await checkout(erp, order), flush=True)


async def checkout(erp, order):
    status = "KLAERUNG" if order["kind"] == "?" else "NEU"
    async with erp.transaction():
        await erp.execute(
            "INSERT INTO ws_auftrag (auftrag_nr, art, kd_nr, land, bestellt, betrag, status) VALUES ($1, $2, $3, $4, $5, $6, $7)",
            order["number"],
            order["kind"],
            order["account"],
            order["country"],
            datetime.fromisoformat(order["placed"]),
            Decimal(order["total"]),
            status,
        )
        await erp.executemany(
            "INSERT INTO ws_position VALUES ($1, $2, $3, $4, $5, $6)",
            [(order["number"], n, p, t, q, Decimal(c)) for n, (p, t, q, c) in enumerate(order["lines"], 1)],
        )
    if order["kind"] != "V":
        return status
    try:
        await erp.execute(
            "INSERT INTO kreditvormerk (kd_nr, betrag, auftrag_nr) VALUES ($1, $2, $3)",
            order["account"],
            Decimal(order["total"]),
            order["number"],
        )
    except asyncpg.PostgresError as refused:
        print(f"{order['number']}: {refused}", file=sys.stderr)
        await erp.execute("UPDATE ws_auftrag SET status = 'ABGELEHNT' WHERE auftrag_nr = $1", order["number"])
        return "ABGELEHNT"
    await erp.execute(
        "INSERT INTO reservierung (auftrag_nr, art_nr, lager_cd, menge) "
        "SELECT p.auftrag_nr, p.art_nr, 1, sum(p.menge) FROM ws_position p JOIN artikel a ON a.art_nr = p.art_nr "
        "WHERE p.auftrag_nr = $1 AND a.art_typ = 1 GROUP BY p.auftrag_nr, p.art_nr",
        order["number"],
    )
    return status


asyncio.run(main())
