"""What of an app is personal, and how its parts seal and open it."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from levada.app import App
from levada.contract.event import Event, EventType, event_type
from levada.contract.operation import Operation
from levada.contract.personal import of_arguments, of_value, takes_personal
from levada.deployment import _codec
from levada.deployment.personal._events import open_event, prepare_event, seal_event, seal_prepared
from levada.deployment.personal._master import Masters
from levada.deployment.personal._vault import DataKey, Vault
from levada.deployment.personal.errors import CryptoMissing, PersonalUnprotected, SubjectForgotten
from levada.process._protocol import Seal
from levada.store.protocol import Store

__all__ = ["Personal", "event_kinds", "personal_events", "personal_parts"]


class Personal:
    """Seals and opens for one app on one store; does nothing where the app has no personal data.

    Raises:
        PersonalUnprotected, CryptoMissing: It has, and there is no secret to protect it, or no package.
    """

    def __init__(self, app: App, store: Store, masters: Masters | None) -> None:
        self.kinds = event_kinds(app)
        parts = personal_parts(app)
        self.vault: Vault | None = None
        if parts:
            protect(parts, masters)
            assert masters is not None
            self.vault = Vault(store, masters)

    async def check(self) -> None:
        """Look whether the keys there are can be opened.

        Raises:
            MasterUnknown: The master secret of some of them is not at hand.
        """
        if self.vault is not None:
            await self.vault.check()

    @property
    def seals(self) -> Callable[[Any, str], Seal] | None:
        """Gives what keeps a run of a handler closed; None where no run can know of a person."""
        if (vault := self.vault) is None:
            return None
        from levada.deployment.personal._runs import RunSeal

        return lambda code, run: RunSeal(vault, code, run)

    async def sealed(self, kind: EventType, event: Event) -> tuple[bytes, str | None]:
        """An event's data as it is stored, and the ids of its keys."""
        if self.vault is None or not kind.personal:
            return kind.encode(event), None
        return await seal_event(self.vault, kind, event)

    def prepared(self, kind: EventType, event: Event) -> tuple[bytes, str | None]:
        """The same for an event whose keys were made before."""
        if self.vault is None or not kind.personal:
            return kind.encode(event), None
        return seal_prepared(self.vault, kind, event)

    async def opened(self, kind: EventType, data: bytes) -> bytes:
        """An event's data in clear; forgotten fields as the class says."""
        if self.vault is None or not kind.personal:
            return data
        return (await open_event(self.vault, kind, data)).data

    async def answer(
        self,
        operation: Operation,
        arguments: Sequence[Any],
        result: Any,
        published: Iterable[tuple[EventType, Event]],
        *place: str,
    ) -> bytes:
        """An answer as it is kept for repeats: sealed for all of whom the call told."""
        encoded = _codec.encode_result(result)
        if (vault := self.vault) is None:
            return encoded
        found = list(of_arguments(operation, arguments))
        if operation.shape not in ("none", "bytes"):
            found += of_value(operation.result, result)
        keys: dict[str, DataKey] = {}
        for key in [await vault.key(one.kind, one.subject) for one in found]:
            keys[key.id] = key
        for kind, event in published:
            keys.update({key.id: key for key in await prepare_event(vault, kind, event)})
        return vault.blob(tuple(keys.values()), "answer " + "\n".join(place), encoded)

    async def answered(self, data: bytes, *place: str) -> bytes:
        """A kept answer in clear.

        Raises:
            SubjectForgotten: It told of somebody who was forgotten.
        """
        if self.vault is None:
            return data
        clear, keys = await self.vault.unblob(data, "answer " + "\n".join(place))
        if clear is None:
            raise SubjectForgotten.of(keys)
        return clear


def protect(parts: Sequence[str], masters: Masters | None) -> None:
    """Refuse what cannot be protected.

    Raises:
        PersonalUnprotected, CryptoMissing: There is no secret, or no package.
    """
    names = ", ".join(parts[:5]) + (f" and {len(parts) - 5} more" if len(parts) > 5 else "")
    if importlib.util.find_spec("cryptography") is None:
        raise CryptoMissing(names=names)
    if masters is None:
        raise PersonalUnprotected(names=names)


def event_kinds(app: App) -> dict[str, EventType]:
    """All event types of an app, by type."""
    found: dict[str, EventType] = {}
    for local in app.plan.locals:
        implementation = local.implementation
        kinds = [*implementation.publishes.values(), *implementation.awaits.values()]
        kinds += [event_type(handler.spec.event) for handler in implementation.handlers.values()]
        found |= {kind.type: kind for kind in kinds}
    return found


def personal_events(app: App) -> list[str]:
    """The types of events with personal data."""
    return sorted(kind.type for kind in event_kinds(app).values() if kind.personal)


def personal_parts(app: App) -> list[str]:
    """Events with personal data, and operations that take it or answer with it."""
    found = dict.fromkeys(personal_events(app))
    for local in app.plan.locals:
        contracts = [local.contract]
        contracts += [dependency.contract for dependency in local.implementation.dependencies.values()]
        for contract in contracts:
            for name, operation in contract.operations.items():
                if takes_personal(operation):
                    found[contract.operation_id(name)] = None
    return list(found)
