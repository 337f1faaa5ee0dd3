"""Personal fields of events: sealed where events are stored, opened for who is delivered them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec
from msgspec import Raw, Struct

from levada.contract.event import Event, EventType
from levada.contract.personal import Found
from levada.contract.types import FORGOTTEN
from levada.deployment.personal._vault import DataKey, Vault
from levada.deployment.personal.errors import SealedWrongly, SubjectMissing

__all__ = ["Opened", "open_event", "prepare_event", "seal_event", "seal_prepared"]


class Opened(Struct, frozen=True):
    """An event's data as its handlers read it, with whose it is and what of it is personal."""

    data: bytes
    keys: Sequence[DataKey] = ()
    values: Sequence[Any] = ()


async def seal_event(vault: Vault, kind: EventType, event: Event) -> tuple[bytes, str | None]:
    """The event's data with its personal fields sealed, and the ids of the keys."""
    # Somebody may be forgotten between two keys: what is sealed now is of a new one then.
    while any(vault.known(k.kind, k.subject) is None for k in (await prepare_event(vault, kind, event))):
        pass
    return seal_prepared(vault, kind, event)


async def prepare_event(vault: Vault, kind: EventType, event: Event) -> list[DataKey]:
    """Make or look up the keys of an event's subjects, so that it can be sealed at once.

    Raises:
        SubjectMissing: A subject is empty.
    """
    return [await vault.key(found.kind, found.subject) for found in _personal(kind, event)]


def seal_prepared(vault: Vault, kind: EventType, event: Event) -> tuple[bytes, str | None]:
    """As :func:`seal_event`, without waiting: :func:`prepare_event` was called for it."""
    data = kind.encode(event)
    members: dict[str, Any] = msgspec.json.decode(data, type=dict[str, Raw])
    ids: dict[str, None] = {}
    for field, subject_field in kind.personal.items():
        wire = kind.wire(field)
        if getattr(event, field) is None or wire not in members:
            continue
        subject = str(getattr(event, subject_field))
        key = vault.held(subject_field, subject)
        assert key is not None
        place = _place(kind, wire, subject_field, subject)
        members[wire] = vault.token(key, place, bytes(members[wire]))
        ids[key.id] = None
    return (msgspec.json.encode(members), ",".join(ids)) if ids else (data, None)


async def open_event(vault: Vault, kind: EventType, data: bytes) -> Opened:
    """An event's data with its personal fields in clear; those of a forgotten subject as the class says.

    Data that is no object, or that was never sealed, is given as it is.

    Raises:
        SealedWrongly: A field was altered or moved, or its key is not there.
    """
    if not kind.personal:
        return Opened(data)
    try:
        members: dict[str, Any] = dict(msgspec.json.decode(data, type=dict[str, Raw]))
    except (msgspec.DecodeError, UnicodeDecodeError):
        return Opened(data)
    keys: dict[str, DataKey] = {}
    values: list[Any] = []
    changed = False
    for field, subject_field in kind.personal.items():
        wire, named = kind.wire(field), kind.wire(subject_field)
        value = msgspec.json.decode(members[wire]) if wire in members else None
        if not vault.is_token(value):
            if value is not None:
                values.append(value)
            continue
        changed = True
        key = await vault.by_id(value.split(".", 2)[1])
        subject = msgspec.json.decode(members[named]) if named in members else key.subject
        clear = await vault.untoken(value, _place(kind, wire, subject_field, str(subject)))
        keys[key.id] = key
        if clear is None:
            clear = kind.forgotten.get(field)
        else:
            values.append(msgspec.json.decode(clear))
        if clear is None:
            del members[wire]
        else:
            members[wire] = Raw(clear)
    for wire in [w for w, raw in members.items() if bytes(raw).startswith(b'"lvp1.')]:
        if (former := await _former(vault, kind, members, wire)) is not None:
            key, clear = former
            changed, keys[key.id], members[wire] = True, key, Raw(clear)
            values.append(msgspec.json.decode(clear))
    return Opened(msgspec.json.encode(members) if changed else data, tuple(keys.values()), values)


async def _former(
    vault: Vault, kind: EventType, members: dict[str, Any], wire: str
) -> tuple[DataKey, bytes] | None:
    """A field that was personal in an older form, for upcasters; None: it only looks as if it were sealed."""
    text = msgspec.json.decode(members[wire])
    if wire in map(kind.wire, kind.personal) or not vault.is_token(text):
        return None
    try:
        key = await vault.by_id(text.split(".", 2)[1])
    except SealedWrongly:
        return None
    named = kind.wire(key.kind)
    subject = msgspec.json.decode(members[named]) if named in members else key.subject
    clear = await vault.untoken(text, _place(kind, wire, key.kind, str(subject)))
    return key, msgspec.json.encode(FORGOTTEN) if clear is None else clear


def _personal(kind: EventType, event: Event) -> list[Found]:
    found: list[Found] = []
    for field, subject_field in kind.personal.items():
        if (value := getattr(event, field)) is None:
            continue
        subject = getattr(event, subject_field)
        if subject is None or str(subject) == "":
            raise SubjectMissing(what=kind.type, kind=subject_field)
        found.append(Found(subject_field, str(subject), value))
    return found


def _place(kind: EventType, wire: str, subject_field: str, subject: str) -> str:
    return f"{kind.type}\n{wire}\n{subject_field}={subject}"
