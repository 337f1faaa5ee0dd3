"""The same as a plain ASGI function with msgspec: routing by hand, nothing else."""

from decimal import Decimal
from typing import Any

import msgspec
from msgspec import Struct


class Item(Struct, frozen=True):
    id: str
    name: str
    price: Decimal
    quantity: int
    tags: tuple[str, ...]


decode = msgspec.json.Decoder(Item).decode
encode = msgspec.json.Encoder().encode


async def app(scope: Any, receive: Any, send: Any) -> None:
    if scope["type"] == "lifespan":
        while True:
            message = await receive()
            await send({"type": message["type"] + ".complete"})
            if message["type"] == "lifespan.shutdown":
                return
    path = scope["path"]
    if scope["method"] == "GET" and path.startswith("/bench/items/v1/items/"):
        item = Item(path[22:], "Regency teacake plates", Decimal("10.50"), 3, ("green", "set"))
    else:
        body = b""
        more = True
        while more:
            message = await receive()
            body += message.get("body", b"")
            more = message.get("more_body", False)
        item = decode(body)
    payload = encode(item)
    headers = [(b"content-type", b"application/json"), (b"content-length", str(len(payload)).encode())]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": payload})
