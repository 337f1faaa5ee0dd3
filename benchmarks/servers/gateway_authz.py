"""A service for Envoy's ext_authz: API keys by their SHA-256, in memory, as plain as it gets."""

import hashlib

KNOWN = {
    hashlib.sha256(f"lv_{n:012x}_{'k' * 43}".encode()).digest(): f"c{n}/,sales/Storefront/v1,/gold".encode()
    for n in range(1000)
}


async def app(scope, _receive, send):
    """Answer 200 with who it is, or 401; ``/-/add`` and ``/-/remove`` change what is known."""
    if scope["type"] != "http":
        return
    key = dict(scope["headers"]).get(b"x-api-key", b"")
    digest = hashlib.sha256(key).digest()
    if scope["path"] == "/-/add":
        KNOWN[digest] = b"new/,sales/Storefront/v1,/gold"
    elif scope["path"] == "/-/remove":
        KNOWN.pop(digest, None)
    known = KNOWN.get(digest)
    headers = [(b"content-length", b"0")] + ([(b"x-consumer-id", known)] if known else [])
    await send({"type": "http.response.start", "status": 200 if known else 401, "headers": headers})
    await send({"type": "http.response.body", "body": b""})
