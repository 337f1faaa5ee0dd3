"""The ERP's replacement: REST and JSON, UUIDs, cents, and an ``Idempotency-Key`` that is honoured."""

from __future__ import annotations

import hashlib
import sqlite3
import uuid
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import msgspec
from aiohttp import web
from examples.order_to_cash.legacy.database import open_books, transaction
from examples.order_to_cash.legacy.faults import Faults
from examples.order_to_cash.legacy.http import HttpSystem
from examples.order_to_cash.legacy.seed import Seed, seed
from examples.order_to_cash.orders.model import Invoice
from msgspec import Struct

__all__ = ["Erp2"]

_SCHEMA = """
CREATE TABLE IF NOT EXISTS party (uuid TEXT PRIMARY KEY, external_number TEXT NOT NULL UNIQUE, display_name TEXT NOT NULL,
  country TEXT NOT NULL, credit_limit_cents INTEGER NOT NULL, on_hold INTEGER NOT NULL);
CREATE TABLE IF NOT EXISTS item (uuid TEXT PRIMARY KEY, sku TEXT NOT NULL UNIQUE, title TEXT NOT NULL, kind TEXT NOT NULL,
  price_ten_thousandths INTEGER NOT NULL, on_hand INTEGER NOT NULL,
  allocated INTEGER NOT NULL DEFAULT 0 CHECK (allocated BETWEEN 0 AND on_hand));
CREATE TABLE IF NOT EXISTS authorization (uuid TEXT PRIMARY KEY, party TEXT NOT NULL REFERENCES party,
  cents INTEGER NOT NULL CHECK (cents > 0), memo TEXT NOT NULL, state TEXT NOT NULL);
CREATE INDEX IF NOT EXISTS authorization_memo ON authorization (memo);
CREATE INDEX IF NOT EXISTS authorization_party ON authorization (party, state);
CREATE TABLE IF NOT EXISTS allocation (uuid TEXT PRIMARY KEY, item TEXT NOT NULL REFERENCES item,
  pieces INTEGER NOT NULL CHECK (pieces > 0), memo TEXT NOT NULL, state TEXT NOT NULL);
CREATE INDEX IF NOT EXISTS allocation_memo ON allocation (memo);
CREATE TABLE IF NOT EXISTS idempotency (key TEXT PRIMARY KEY, digest TEXT NOT NULL, status INTEGER NOT NULL, body BLOB NOT NULL);
"""
_SPACE = uuid.UUID("6f1a2f0e-6d0e-5b0c-9a53-0d3f5a3b7f10")
_LONGEST_BODY = 1 << 20


class NewAuthorization(Struct, forbid_unknown_fields=True, rename="camel"):
    party_id: str
    amount_cents: int
    memo: str


class NewAllocation(Struct, forbid_unknown_fields=True, rename="camel"):
    item_id: str
    pieces: int
    memo: str


class Refused(Exception):
    def __init__(self, status: int, kind: str, text: str) -> None:
        self.status, self.body = status, {"error": kind, "message": text}
        super().__init__(text)


class Erp2(HttpSystem):
    name = "erp2"

    def __init__(
        self, directory: Path, *, orders: Sequence[Invoice] = (), port: int = 0, faults: Faults | None = None
    ) -> None:
        """``orders``: what the books are seeded from, the first time a directory is used."""
        super().__init__(directory, port=port, faults=faults)
        self._orders = orders

    def application(self) -> web.Application:
        app = web.Application(client_max_size=_LONGEST_BODY)
        app.router.add_get("/v1/parties", self._parties)
        app.router.add_get("/v1/parties/{id}", self._party)
        app.router.add_get("/v1/items", self._items)
        app.router.add_get("/v1/items/{id}", self._item)
        for noun in ("authorizations", "allocations"):
            app.router.add_post(f"/v1/{noun}", self._keyed)
            app.router.add_get(f"/v1/{noun}", self._by_memo)
            app.router.add_post(f"/v1/{noun}/{{id}}/{{verb:release|capture}}", self._keyed)
        return app

    async def _start(self) -> None:
        self.db = open_books(self.directory / "erp2.db", _SCHEMA)
        if not self.db.execute("SELECT 1 FROM party LIMIT 1").fetchone():
            _fill(self.db, seed(self._orders))
        await super()._start()

    async def _stop(self) -> None:
        await super()._stop()
        if hasattr(self, "db"):
            self.db.close()
            del self.db

    async def _parties(self, http: web.Request) -> web.Response:
        numbers = http.query.getall("number", [])
        marks = ",".join("?" * len(numbers))
        rows = self.db.execute(f"SELECT * FROM party WHERE external_number IN ({marks})", numbers).fetchall()
        return web.json_response({"items": [self._party_view(row) for row in rows]})

    async def _party(self, http: web.Request) -> web.Response:
        row = self.db.execute("SELECT * FROM party WHERE uuid=?", (http.match_info["id"],)).fetchone()
        return web.json_response(self._party_view(row)) if row else _absent("party")

    def _party_view(self, row: sqlite3.Row) -> dict[str, Any]:
        return {
            "id": row["uuid"], "number": row["external_number"], "displayName": row["display_name"],
            "country": row["country"], "onHold": bool(row["on_hold"]), "creditLimitCents": row["credit_limit_cents"],
            "authorizedCents": self._authorized(row["uuid"]),
        }  # fmt: skip

    async def _items(self, http: web.Request) -> web.Response:
        skus = http.query.getall("sku", [])
        rows = self.db.execute(f"SELECT * FROM item WHERE sku IN ({','.join('?' * len(skus))})", skus)
        return web.json_response({"items": [_item_view(row) for row in rows]})

    async def _item(self, http: web.Request) -> web.Response:
        row = self.db.execute("SELECT * FROM item WHERE uuid=?", (http.match_info["id"],)).fetchone()
        return web.json_response(_item_view(row)) if row else _absent("item")

    async def _by_memo(self, http: web.Request) -> web.Response:
        table, view = _NOUNS[http.path.rsplit("/", 1)[1]]
        rows = self.db.execute(
            f"SELECT * FROM {table} WHERE memo=? ORDER BY rowid", (http.query.get("memo", ""),)
        )
        return web.json_response({"items": [view(row) for row in rows]})

    async def _keyed(self, http: web.Request) -> web.Response:
        body = await http.read()
        key = http.headers.get("Idempotency-Key")
        digest = hashlib.sha256(f"{http.method} {http.path}\n".encode() + body).hexdigest()
        with transaction(self.db) as db:
            known = db.execute("SELECT * FROM idempotency WHERE key=?", (key,)).fetchone() if key else None
            if known is not None and known["digest"] != digest:
                return web.json_response(
                    {"error": "key_reused", "message": "this Idempotency-Key came with another request"},
                    status=422,
                )
            if known is not None:
                return _answer(known["status"], known["body"], replayed=True)
            status, answer = self._perform(http, body)
            encoded = msgspec.json.encode(answer)
            # A refusal is not kept: the same key may succeed once the reason has gone.
            if key and status < 400:
                db.execute("INSERT INTO idempotency VALUES (?,?,?,?)", (key, digest, status, encoded))
        return _answer(status, encoded)

    def _perform(self, http: web.Request, body: bytes) -> tuple[int, dict[str, Any]]:
        noun = http.path.split("/")[2]
        try:
            if "verb" in http.match_info:
                return 200, self._close(noun, http.match_info["id"], http.match_info["verb"])
            if noun == "authorizations":
                return 201, self._authorize(msgspec.json.decode(body, type=NewAuthorization))
            return 201, self._allocate(msgspec.json.decode(body, type=NewAllocation))
        except msgspec.DecodeError as error:
            return 400, {"error": "bad_request", "message": str(error)}
        except Refused as refused:
            return refused.status, refused.body

    def _authorize(self, new: NewAuthorization) -> dict[str, Any]:
        party = self.db.execute("SELECT * FROM party WHERE uuid=?", (new.party_id,)).fetchone()
        if party is None:
            raise Refused(404, "not_found", "no such party")
        if not 0 < new.amount_cents < 1 << 53:
            raise Refused(400, "bad_request", "amountCents has to be above 0")
        if party["on_hold"]:
            raise Refused(409, "party_on_hold", f"party {party['external_number']} is on hold")
        free = party["credit_limit_cents"] - self._authorized(new.party_id)
        if new.amount_cents > free:
            raise Refused(409, "credit_exceeded", f"{free} cents are free")
        made = (str(uuid.uuid4()), new.party_id, new.amount_cents, new.memo, "active")
        self.db.execute("INSERT INTO authorization VALUES (?,?,?,?,?)", made)
        return self._one("authorizations", made[0])

    def _allocate(self, new: NewAllocation) -> dict[str, Any]:
        item = self.db.execute("SELECT * FROM item WHERE uuid=?", (new.item_id,)).fetchone()
        if item is None:
            raise Refused(404, "not_found", "no such item")
        if not 0 < new.pieces < 1 << 53:
            raise Refused(400, "bad_request", "pieces has to be above 0")
        if item["allocated"] + new.pieces > item["on_hand"]:
            raise Refused(409, "out_of_stock", f"{item['on_hand'] - item['allocated']} pieces are free")
        self.db.execute("UPDATE item SET allocated=allocated+? WHERE uuid=?", (new.pieces, new.item_id))
        made = (str(uuid.uuid4()), new.item_id, new.pieces, new.memo, "active")
        self.db.execute("INSERT INTO allocation VALUES (?,?,?,?,?)", made)
        return self._one("allocations", made[0])

    def _close(self, noun: str, number: str, verb: str) -> dict[str, Any]:
        state = {"release": "released", "capture": "captured"}[verb]
        table, _ = _NOUNS[noun]
        row = self.db.execute(f"SELECT * FROM {table} WHERE uuid=?", (number,)).fetchone()
        if row is None:
            raise Refused(404, "not_found", f"no such {table}")
        if row["state"] == state:
            return self._one(noun, number)
        if row["state"] != "active":
            raise Refused(409, "closed", f"it is {row['state']} already")
        if noun == "allocations":
            gone = row["pieces"] if verb == "capture" else 0
            self.db.execute(
                "UPDATE item SET allocated=allocated-?, on_hand=on_hand-? WHERE uuid=?",
                (row["pieces"], gone, row["item"]),
            )
        self.db.execute(f"UPDATE {table} SET state=? WHERE uuid=?", (state, number))
        return self._one(noun, number)

    def _one(self, noun: str, number: str) -> dict[str, Any]:
        table, view = _NOUNS[noun]
        return view(self.db.execute(f"SELECT * FROM {table} WHERE uuid=?", (number,)).fetchone())

    def _authorized(self, party: str) -> int:
        query = "SELECT coalesce(sum(cents),0) FROM authorization WHERE party=? AND state='active'"
        return self.db.execute(query, (party,)).fetchone()[0]

    async def holdings(self) -> dict[str, Any]:
        return {
            noun: [view(row) for row in self.db.execute(f"SELECT * FROM {table} ORDER BY rowid")]
            for noun, (table, view) in _NOUNS.items()
        }


def _authorization_view(row: sqlite3.Row) -> dict[str, Any]:
    names = {"uuid": "id", "party": "partyId", "cents": "amountCents", "memo": "memo", "state": "state"}
    return {shown: row[name] for name, shown in names.items()}


def _allocation_view(row: sqlite3.Row) -> dict[str, Any]:
    names = {"uuid": "id", "item": "itemId", "pieces": "pieces", "memo": "memo", "state": "state"}
    return {shown: row[name] for name, shown in names.items()}


def _item_view(row: sqlite3.Row) -> dict[str, Any]:
    return {
        "id": row["uuid"], "sku": row["sku"], "title": row["title"], "kind": row["kind"],
        "priceTenThousandths": row["price_ten_thousandths"], "onHand": row["on_hand"], "allocated": row["allocated"],
    }  # fmt: skip


_NOUNS = {
    "authorizations": ("authorization", _authorization_view),
    "allocations": ("allocation", _allocation_view),
}


def _absent(what: str) -> web.Response:
    return web.json_response({"error": "not_found", "message": f"no such {what}"}, status=404)


def _answer(status: int, body: bytes, *, replayed: bool = False) -> web.Response:
    headers = {"Idempotency-Replayed": "true"} if replayed else {}
    return web.Response(body=body, status=status, content_type="application/json", headers=headers)


def _fill(db: sqlite3.Connection, data: Seed) -> None:
    with transaction(db):
        db.executemany(
            "INSERT INTO party VALUES (?,?,?,?,?,?)",
            [(str(uuid.uuid5(_SPACE, f"party/{a.customer}")), a.customer, f"Customer {a.customer}", a.country,
              int(a.limit * 100), a.blocked) for a in data.accounts],
        )  # fmt: skip
        db.executemany(
            "INSERT INTO item VALUES (?,?,?,?,?,?,0)",
            [(str(uuid.uuid5(_SPACE, f"item/{p.code}")), p.code, p.descriptions[0], "charge" if p.charge else "goods",
              int(p.price * 10_000), p.stock) for p in data.products],
        )  # fmt: skip
