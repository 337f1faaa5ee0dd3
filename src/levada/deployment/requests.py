"""Changes that wait for a second person, and in which domain a change is."""

from __future__ import annotations

import secrets
from collections.abc import Collection
from typing import Any, cast

import msgspec
from msgspec import Struct

from levada.deployment.roles import RequestUnknown
from levada.store.control import Audit
from levada.store.protocol import Row, Statement, Store, Unit

__all__ = ["Request", "Requests", "domain_of", "within"]


class Request(Struct, frozen=True):
    """What somebody has asked for. ``asked``, ``decided``: microseconds since 1970-01-01 UTC."""

    id: str
    action: str
    arguments: dict[str, Any]
    who: str
    why: str
    asked: int
    state: str
    decider: str | None = None
    decided: int | None = None


class Requests:
    """The requests of a store. May be called concurrently."""

    def __init__(self, store: Store) -> None:
        self._store = store

    async def list(self, state: str = "asked", limit: int = 100) -> list[Request]:
        """Requests of a state (asked, approved, refused), oldest first."""
        rows = await self._store.read("request.list", {"state": state, "n": limit})
        return [_request(row) for row in rows]

    async def open(self, id: str) -> Request:
        """One that is not decided.

        Raises:
            RequestUnknown: There is none.
        """
        rows = await self._store.read("request.get", {"id": id})
        if not rows or rows[0]["state"] != "asked":
            raise RequestUnknown(id=id)
        return _request(rows[0])

    async def ask(self, audit: Audit, action: str, arguments: dict[str, Any], *, who: str) -> str:
        """Keep a request, together with its row in the audit; its id."""
        made = secrets.token_hex(4)
        why = str(arguments["why"])
        kept = {name: value for name, value in arguments.items() if name != "why"}
        values = {
            "id": made,
            "action": action,
            "arguments": msgspec.json.encode(kept),
            "who": who,
            "why": why,
        }
        add = Unit([Statement("request.add", values, 1)])
        target = str(next(iter(kept.values()), ""))
        await audit.commit(
            add, who=who, action=f"{action} asked", target=target, why=why, after={"request": made}
        )
        return made

    async def refuse(self, id: str, why: str) -> None:
        """Decide that it is not done.

        Raises:
            RequestUnknown: It is not open.
        """
        del why  # the audit has it
        if not (await self._store.commit(Unit([self.decided(id, "refused", None)]))).committed:
            raise RequestUnknown(id=id)

    @staticmethod
    def decided(id: str, state: str, decider: str | None) -> Statement:
        """The statement that decides an open request; refuses its unit if it is not open."""
        return Statement("request.decide", {"id": id, "state": state, "decider": decider, "from": "asked"}, 1)


def _request(row: Row) -> Request:
    return Request(**{**row, "arguments": msgspec.json.decode(row["arguments"])})


async def domain_of(store: Store, action: str, arguments: dict[str, Any]) -> str | None:
    """The domain of what an action is done to; None: of no single one."""
    if action.startswith("requests.") and (id_ := arguments.get("id")):
        rows = await store.read("request.get", {"id": str(id_)})
        return await domain_of(store, rows[0]["action"], _request(rows[0]).arguments) if rows else None
    if run := arguments.get("run"):
        rows = await store.read("runs.one", {"run": run})
        return rows[0]["code"].partition("/")[0] if rows else None
    if topic := arguments.get("topic"):
        return str(topic).partition(".")[0]
    named = arguments.get("product") or arguments.get("subscription")
    if action.startswith("events."):
        named = arguments.get("name") or arguments.get("id") or named
    if action in ("keys.rotate", "keys.revoke"):
        rows = await store.read("key.get", {"id": str(arguments.get("id"))})
        named = rows[0]["product"] if rows else None
    return str(named).partition("/")[0] if named else None


_FIELD = {"runs.list": "code", "events.parked": "subscription", "keys.list": "product"}


def within(domains: Collection[str], action: str, result: Any) -> Any:
    """What of a list is in these domains; anything else as it is."""
    if not isinstance(result, list) or action not in (*_FIELD, "events.topics", "events.subscriptions"):
        return result
    return [item for item in cast("list[Any]", result) if _domain(action, item) in domains]


def _domain(action: str, item: Any) -> str:
    if action == "events.topics":
        return str(item["name"]).partition(".")[0]
    name = item["subscription"]["name"] if action == "events.subscriptions" else item[_FIELD[action]]
    return str(name).partition("/")[0]
