"""Payments: a REST service that recognises a reference, and tells by signed webhooks."""

import hashlib
import hmac
import os
import time
from decimal import Decimal
from typing import Any

import msgspec
from aiohttp import web
from examples.order_to_cash.contracts import PaymentReceived, PaymentRequest, Payments

from levada import Protect, Publishes, effect, resource
from levada.connect.http import Http

FRESH = 300
"""Seconds that a webhook may have been on its way."""


class RestPayments(Payments, protect=Protect(concurrency=16)):
    """Asks for payments, and takes in what was paid.

    Webhooks come to a port of their own (PAYMENTS_WEBHOOK_PORT), which several processes
    may share; each is answered only when its event is in the log for good.
    """

    api: Http = resource("payments")
    received: Publishes[PaymentReceived]

    def __init__(self) -> None:
        self._runner: web.AppRunner | None = None

    async def start(self) -> None:
        """Listen for webhooks, where a port is stated."""
        port = os.environ.get("PAYMENTS_WEBHOOK_PORT")
        if port is None:
            return
        if not os.environ.get("PAYMENTS_SECRET"):
            raise RuntimeError("PAYMENTS_SECRET is not set: webhooks cannot be told from forged ones")
        app = web.Application()
        app.router.add_post("/webhooks/payments", self._webhook)
        self._runner = web.AppRunner(app, access_log=None)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", int(port), reuse_port=True).start()

    async def stop(self) -> None:
        """Answer what is under way, then stop listening."""
        if self._runner is not None:
            await self._runner.cleanup()

    @effect.passes_key
    async def request(self, reference: str, account: str, amount: Decimal) -> PaymentRequest:
        # The service recognises the reference itself: the same again is answered with the first.
        made = await self.api.post(
            "/payment-requests", {"reference": reference, "customer": account, "amount": f"{amount:.2f}"}
        )
        return PaymentRequest(made["id"], reference, Decimal(made["amount"]), made["status"] == "paid")

    async def _webhook(self, request: web.Request) -> web.Response:
        body = await request.read()
        timestamp = request.headers.get("X-Timestamp", "")
        if not timestamp.isdigit() or abs(time.time() - int(timestamp)) > FRESH:
            return web.Response(status=401)
        secret = os.environ["PAYMENTS_SECRET"].encode()
        expected = hmac.new(secret, timestamp.encode() + b"." + body, hashlib.sha256).hexdigest()
        if not hmac.compare_digest(expected, request.headers.get("X-Signature", "")):
            return web.Response(status=401)
        event: dict[str, Any] = msgspec.json.decode(body)
        if event["type"] == "payment.received":
            data = event["data"]
            await self.received(
                PaymentReceived(order=data["reference"], request=data["id"], amount=Decimal(data["amount"]))
            )
        return web.Response(status=204)
