"""The payment provider: REST, with signed webhooks that may come twice, late or out of order."""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import random
import time
import uuid
from contextlib import suppress
from pathlib import Path
from typing import Annotated, Any

import aiohttp
import msgspec
from aiohttp import web
from examples.order_to_cash.legacy.database import open_books, transaction
from examples.order_to_cash.legacy.faults import Faults
from examples.order_to_cash.legacy.http import HttpSystem
from msgspec import Struct

__all__ = ["Payments", "signature"]

_SCHEMA = """
CREATE TABLE IF NOT EXISTS request (id TEXT PRIMARY KEY, reference TEXT NOT NULL UNIQUE, customer TEXT NOT NULL,
  amount TEXT NOT NULL, currency TEXT NOT NULL, status TEXT NOT NULL, created INTEGER NOT NULL, due INTEGER);
CREATE TABLE IF NOT EXISTS refund (id TEXT PRIMARY KEY, request TEXT NOT NULL REFERENCES request,
  reference TEXT NOT NULL UNIQUE, amount TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS webhook (seq INTEGER PRIMARY KEY AUTOINCREMENT, id TEXT NOT NULL UNIQUE, body BLOB NOT NULL,
  sent INTEGER NOT NULL DEFAULT 0, attempts INTEGER NOT NULL DEFAULT 0);
"""
_Amount = Annotated[str, msgspec.Meta(pattern=r"^(0|[1-9]\d{0,9})\.\d\d$")]


class NewRequest(Struct, forbid_unknown_fields=True):
    reference: str
    customer: str
    amount: str
    currency: str = "GBP"


class NewRefund(Struct, forbid_unknown_fields=True):
    reference: str
    amount: str


def signature(secret: str, timestamp: str, body: bytes) -> str:
    """What ``X-Signature`` has to be: hex HMAC-SHA256 of timestamp, a point and the body."""
    return hmac.new(secret.encode(), timestamp.encode() + b"." + body, hashlib.sha256).hexdigest()


class Payments(HttpSystem):
    """Idempotent by reference: a repeat with the same content gives the first request, with another a 409."""

    name = "payments"

    def __init__(
        self, directory: Path, *, port: int = 0, webhook: str = "", secret: str = "whsec-demo", seed: int = 0,
        never: float = 0.1, delay: tuple[float, float] = (0.05, 0.5), faults: Faults | None = None,
    ) -> None:  # fmt: skip
        """``never``: share of customers who never pay, by seed; ``delay``: seconds until payment, least and most."""
        super().__init__(directory, port=port, faults=faults)
        self.webhook, self.secret, self.seed, self.never, self.delay = webhook, secret, seed, never, delay

    def pays(self, customer: str) -> bool:
        """Whether a customer ever pays: the same answer for the same seed, in any order."""
        return random.Random(f"{self.seed}/{customer}").random() >= self.never

    def application(self) -> web.Application:
        app = web.Application()
        app.router.add_post("/payment-requests", self._create)
        app.router.add_get("/payment-requests", self._list)
        app.router.add_get("/payment-requests/{id}", self._get)
        app.router.add_post("/payment-requests/{id}/refunds", self._refund)
        app.router.add_put("/webhook", self._set_webhook)
        return app

    async def _start(self) -> None:
        self.db = open_books(self.directory / "payments.db", _SCHEMA)
        self._wake = asyncio.Event()
        self._http = aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=10))
        self._tasks = [asyncio.create_task(self._payers()), asyncio.create_task(self._sender())]
        await super()._start()

    async def _stop(self) -> None:
        for task in getattr(self, "_tasks", []):
            task.cancel()
        await asyncio.gather(*getattr(self, "_tasks", []), return_exceptions=True)
        await super()._stop()
        if hasattr(self, "db"):
            await self._http.close()
            self.db.close()
            del self.db, self._tasks

    async def _create(self, http: web.Request) -> web.Response:
        new = await _body(http, NewRequest)
        _check_amount(new.amount)
        now = time.time_ns() // 1000
        chance = random.Random(f"{self.seed}/{new.reference}")
        due = now + int(chance.uniform(*self.delay) * 1e6) if self.pays(new.customer) else None
        with transaction(self.db) as db:
            made = db.execute(
                "INSERT INTO request VALUES (?,?,?,?,?,'open',?,?) ON CONFLICT (reference) DO NOTHING",
                (f"pr_{uuid.uuid4().hex}", new.reference, new.customer, new.amount, new.currency, now, due),
            ).rowcount
        row = self.db.execute("SELECT * FROM request WHERE reference=?", (new.reference,)).fetchone()
        if (row["customer"], row["amount"], row["currency"]) != (new.customer, new.amount, new.currency):
            return _error(409, f"reference {new.reference} was used with other content")
        self._wake.set()
        return web.json_response(self._view(row), status=201 if made else 200)

    async def _get(self, http: web.Request) -> web.Response:
        row = self.db.execute("SELECT * FROM request WHERE id=?", (http.match_info["id"],)).fetchone()
        return web.json_response(self._view(row)) if row else _error(404, "no such payment request")

    async def _list(self, http: web.Request) -> web.Response:
        reference = http.query.get("reference")
        rows = self.db.execute(
            "SELECT * FROM request WHERE :r IS NULL OR reference=:r ORDER BY created, id", {"r": reference}
        )
        return web.json_response({"items": [self._view(row) for row in rows]})

    async def _refund(self, http: web.Request) -> web.Response:
        new = await _body(http, NewRefund)
        _check_amount(new.amount)
        with transaction(self.db) as db:
            row = db.execute("SELECT * FROM request WHERE id=?", (http.match_info["id"],)).fetchone()
            if row is None:
                return _error(404, "no such payment request")
            known = db.execute("SELECT * FROM refund WHERE reference=?", (new.reference,)).fetchone()
            if known is not None:
                if (known["request"], known["amount"]) != (row["id"], new.amount):
                    return _error(409, f"reference {new.reference} was used with other content")
                return web.json_response({**dict(known), "status": "refunded"})
            taken = db.execute("SELECT amount FROM refund WHERE request=?", (row["id"],)).fetchall()
            left = _cents(row["amount"]) - sum(_cents(one["amount"]) for one in taken)
            if row["status"] != "paid" or _cents(new.amount) > left:
                return _error(422, f"{left / 100:.2f} can be refunded, status {row['status']}")
            made = {"id": f"re_{uuid.uuid4().hex}", "request": row["id"], **msgspec.to_builtins(new)}
            db.execute("INSERT INTO refund VALUES (:id,:request,:reference,:amount)", made)
            self._note(db, "payment.refunded", self._view(row) | {"refund": made})
        self._wake.set()
        return web.json_response({**made, "status": "refunded"}, status=201)

    async def _set_webhook(self, http: web.Request) -> web.Response:
        self.webhook = (await http.json())["url"]
        self._wake.set()
        return web.json_response({"url": self.webhook})

    def _view(self, row: Any) -> dict[str, Any]:
        names = ("id", "reference", "customer", "amount", "currency", "status", "created")
        return {name: row[name] for name in names}

    def _note(self, db: Any, kind: str, data: dict[str, Any]) -> None:
        event = f"evt_{uuid.uuid4().hex}"
        db.execute(
            "INSERT INTO webhook (id, body) VALUES (?,?)",
            (
                event,
                msgspec.json.encode({"id": event, "type": kind, "at": time.time_ns() // 1000, "data": data}),
            ),
        )

    async def _payers(self) -> None:
        while True:
            now = time.time_ns() // 1000
            rows = self.db.execute(
                "SELECT * FROM request WHERE status='open' AND due<=? LIMIT 200", (now,)
            ).fetchall()
            if rows:
                with transaction(self.db) as db:
                    for row in rows:
                        db.execute("UPDATE request SET status='paid' WHERE id=?", (row["id"],))
                        self._note(db, "payment.received", self._view(row) | {"status": "paid"})
                self._wake.set()
            await asyncio.sleep(0.02)

    async def _sender(self) -> None:
        while True:
            self._wake.clear()
            rows = self.db.execute(
                "SELECT * FROM webhook WHERE sent=0 ORDER BY seq LIMIT 50"
            ).fetchall() if self.webhook and not self.faults.down else []  # fmt: skip
            if not rows:
                with suppress(TimeoutError):
                    await asyncio.wait_for(self._wake.wait(), 0.1)
                continue
            if self.faults.out_of_order:
                self.dice.random.shuffle(rows)
            await self.dice.wait()
            answers = [await self._send(row) for row in rows]
            if not all(answers):
                await asyncio.sleep(0.2)

    async def _send(self, row: Any) -> bool:
        """At least once: what is not answered with 2xx is sent again, with the same id."""
        stamp = str(int(time.time()))
        headers = {
            "Content-Type": "application/json", "X-Event-Id": row["id"], "X-Timestamp": stamp,
            "X-Signature": signature(self.secret, stamp, row["body"]),
        }  # fmt: skip
        good = False
        for _ in range(2 if self.dice.doubles() else 1):
            try:
                async with self._http.post(self.webhook, data=row["body"], headers=headers) as answer:
                    good = 200 <= answer.status < 300
            except (aiohttp.ClientError, TimeoutError):
                good = False
        self.db.execute("UPDATE webhook SET attempts=attempts+1, sent=? WHERE id=?", (good, row["id"]))
        return good

    def all_requests(self) -> list[dict[str, Any]]:
        """All payment requests with what was refunded of them."""
        rows = self.db.execute(
            "SELECT r.*, (SELECT json_group_array(json_object('reference', f.reference, 'amount', f.amount)) "
            "FROM refund f WHERE f.request = r.id) AS refunds FROM request r ORDER BY created, id"
        )
        return [self._view(row) | {"refunds": msgspec.json.decode(row["refunds"])} for row in rows]

    async def holdings(self) -> dict[str, Any]:
        unsent = self.db.execute("SELECT count(*) FROM webhook WHERE sent=0").fetchone()[0]
        return {"requests": self.all_requests(), "webhooks_unsent": unsent}


def _cents(amount: str) -> int:
    return int(amount.replace(".", ""))


def _check_amount(amount: str) -> None:
    try:
        msgspec.convert(amount, _Amount)
    except msgspec.ValidationError:
        raise _bad(f"amount {amount!r} is not pounds with two decimals") from None
    if _cents(amount) == 0:
        raise _bad("amount is zero")


async def _body(http: web.Request, shape: type[Any]) -> Any:
    try:
        return msgspec.json.decode(await http.read(), type=shape)
    except msgspec.DecodeError as error:
        raise _bad(str(error)) from None


def _bad(text: str) -> web.HTTPBadRequest:
    return web.HTTPBadRequest(
        text=msgspec.json.encode({"error": text}).decode(), content_type="application/json"
    )


def _error(status: int, text: str) -> web.Response:
    return web.json_response({"error": text}, status=status)
