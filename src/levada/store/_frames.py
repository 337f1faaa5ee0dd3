"""The frames on the socket of a store's owner.

A frame is a length (4 bytes, big-endian) and MessagePack: ``[number, kind, payload]``.
Asked: ``commit`` a unit, ``read`` (query, params), ``now``, ``listen`` channels, ``unlisten``.
Answered under the same number: ``ok``, ``error`` and ``unknown`` (code, message), ``wake`` channel.
"""

from __future__ import annotations

import asyncio
import struct
from typing import Any

import msgspec

from levada.store.errors import StoreError
from levada.store.protocol import Outcome, Statement, Unit

__all__ = ["asked", "channels", "encoded", "failed", "outcome", "receive", "text", "unit"]

_LENGTH = struct.Struct(">I")
_LARGEST = 256 << 20

_encode = msgspec.msgpack.Encoder().encode
_frame = msgspec.msgpack.Decoder(tuple[int, str, msgspec.Raw])
# A union of text and bytes cannot be typed; MessagePack itself tells them apart.
_unit = msgspec.msgpack.Decoder(tuple[list[tuple[str, dict[str, Any], int | None]], list[str]])
_asked = msgspec.msgpack.Decoder(tuple[str, dict[str, Any]])
outcome = msgspec.msgpack.Decoder(Outcome).decode
channels = msgspec.msgpack.Decoder(list[str]).decode
failed = msgspec.msgpack.Decoder(tuple[str, str]).decode
text = msgspec.msgpack.Decoder(str).decode


def encoded(number: int, kind: str, payload: Any) -> bytes:
    """A frame.

    Raises:
        StoreError: A value cannot be written, or there is too much of it.
    """
    try:
        body = _encode((number, kind, payload))
    except (TypeError, ValueError, OverflowError) as error:
        raise StoreError(reason=f"{error}.") from error
    if len(body) > _LARGEST:
        raise StoreError(reason=f"{len(body)} bytes are too much for one unit.")
    return _LENGTH.pack(len(body)) + body


async def receive(reader: asyncio.StreamReader) -> tuple[int, str, bytes]:
    """The next frame.

    Raises:
        asyncio.IncompleteReadError, ConnectionError: The other side has gone.
        msgspec.DecodeError: It speaks another language.
    """
    (length,) = _LENGTH.unpack(await reader.readexactly(_LENGTH.size))
    if length > _LARGEST:
        raise ConnectionError("a frame of the store's socket is too large")
    number, kind, payload = _frame.decode(await reader.readexactly(length))
    # A Raw refers to the frame, and would not outlive it.
    return number, kind, bytes(payload)


def unit(payload: bytes) -> Unit:
    """The unit of a frame."""
    statements, notify = _unit.decode(payload)
    return Unit([Statement(*parts) for parts in statements], notify)


def asked(payload: bytes) -> tuple[str, dict[str, Any]]:
    """The query and parameters of a frame."""
    return _asked.decode(payload)
