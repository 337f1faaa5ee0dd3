"""Who may use what: plans of products, subscriptions of consumers, and their keys."""

from __future__ import annotations

import uuid
from collections.abc import Mapping, Sequence
from typing import Any, Literal, TypeAlias

import msgspec
from msgspec import Struct

from levada.store.protocol import Statement, Store, Unit

__all__ = ["Access", "AccessRow", "AccessState", "Key", "Keys", "Plan", "Plans"]

AccessState: TypeAlias = Literal["asked", "granted", "refused", "ended"]


class Plan(Struct, frozen=True, kw_only=True):
    """What a plan of a product allows.

    ``rate`` calls in ``per`` seconds, None: as many as one likes. ``quota``: calls a month,
    None: no limit. ``needs``: ``nothing`` (granted at once) or ``approval``. ``body``: what
    else there is to say of it, as JSON.
    """

    product: str
    plan: str
    rate: int | None = None
    per: int | None = None
    quota: int | None = None
    needs: Literal["nothing", "approval"] = "nothing"
    body: Mapping[str, Any] = {}


class Plans:
    """The plans of a store. May be called concurrently."""

    def __init__(self, store: Store) -> None:
        self._store = store

    async def put(self, plan: Plan) -> None:
        """Write a plan, anew or over the former."""
        values = {**msgspec.structs.asdict(plan), "body": msgspec.json.encode(plan.body)}
        await self._store.commit(Unit([Statement("plan.put", values)]))

    async def list(self) -> Sequence[Plan]:
        """All plans, by product and name."""
        rows = await self._store.read("plan.list")
        named = ("product", "plan", "rate", "per", "quota", "needs")
        return [Plan(**{n: r[n] for n in named}, body=msgspec.json.decode(r["body"])) for r in rows]


class AccessRow(Struct, frozen=True, kw_only=True):
    """A consumer's subscription to a product. Times: microseconds since 1970-01-01 UTC."""

    id: str
    consumer: str
    product: str
    plan: str
    environment: str
    state: AccessState
    who: str
    why: str | None
    asked: int
    decided: int | None


class Access:
    """The subscriptions of a store. May be called concurrently."""

    def __init__(self, store: Store) -> None:
        self._store = store

    async def ask(
        self, *, consumer: str, product: str, plan: str, environment: str, who: str, granted: bool = False
    ) -> AccessRow | None:
        """Ask for a plan; None if the consumer has one or has asked already.

        ``granted``: the plan needs no approval.
        """
        named = {
            "consumer": consumer,
            "product": product,
            "plan": plan,
            "environment": environment,
            "who": who,
        }
        state = "granted" if granted else "asked"
        row_id = uuid.uuid4().hex
        decided = await self._store.now() if granted else None
        values = {**named, "id": row_id, "state": state, "why": None, "decided": decided}
        outcome = await self._store.commit(Unit([Statement("access.ask", values, 1)]))
        return await self.get(row_id) if outcome.committed else None

    async def decide(
        self, row_id: str, state: AccessState, *, seen: AccessState, who: str, why: str | None = None
    ) -> bool:
        """Grant, refuse or end; False if it is no longer in the state that was seen."""
        values = {"id": row_id, "state": state, "from": seen, "who": who, "why": why}
        return (await self._store.commit(Unit([Statement("access.decide", values, 1)]))).committed

    async def get(self, row_id: str) -> AccessRow | None:
        """One subscription."""
        rows = await self._store.read("access.get", {"id": row_id})
        return AccessRow(**rows[0]) if rows else None

    async def list(self, *, product: str = "", consumer: str = "") -> Sequence[AccessRow]:
        """Subscriptions of a product and a consumer; empty: of any."""
        rows = await self._store.read("access.list", {"product": product, "consumer": consumer})
        return [AccessRow(**row) for row in rows]


class Key(Struct, frozen=True, kw_only=True):
    """A key. ``secret``: a hash of it, or the sealed secret; the store never sees it in clear.

    Times: microseconds since 1970-01-01 UTC; ``expires``, ``revoked`` None: not so.
    """

    id: str
    consumer: str
    product: str
    plan: str
    environment: str
    secret: bytes
    created: int
    expires: int | None = None
    revoked: int | None = None

    def __repr__(self) -> str:
        return f"Key(id={self.id!r}, consumer={self.consumer!r}, product={self.product!r})"


class Keys:
    """The keys of a store. May be called concurrently."""

    def __init__(self, store: Store) -> None:
        self._store = store

    async def add(
        self,
        *,
        id: str,
        consumer: str,
        product: str,
        plan: str,
        environment: str,
        secret: bytes,
        expires: int | None = None,
    ) -> Key | None:
        """Keep a key; None if its id is taken."""
        key = Key(
            id=id,
            consumer=consumer,
            product=product,
            plan=plan,
            environment=environment,
            secret=secret,
            created=await self._store.now(),
            expires=expires,
        )
        unit = Unit([Statement("key.add", msgspec.structs.asdict(key), 1)], notify=["keys"])
        return key if (await self._store.commit(unit)).committed else None

    async def get(self, key_id: str) -> Key | None:
        """One key, ended or not."""
        rows = await self._store.read("key.get", {"id": key_id})
        return Key(**rows[0]) if rows else None

    async def list(self, consumer: str = "") -> Sequence[Key]:
        """The keys of a consumer (empty: of all), ended ones too."""
        return [Key(**row) for row in await self._store.read("key.list", {"consumer": consumer})]

    async def live(self, environment: str) -> Sequence[Key]:
        """The keys that may be used now. Channel ``keys`` wakes when this changes, but for time passing."""
        return [Key(**row) for row in await self._store.read("key.live", {"environment": environment})]

    async def revoke(self, key_id: str) -> bool:
        """End a key at once and for good; False if it has ended or is not there."""
        unit = Unit([Statement("key.revoke", {"id": key_id}, 1)], notify=["keys"])
        return (await self._store.commit(unit)).committed

    async def expire(self, key_id: str, at: int) -> bool:
        """Let a key end at a time, while its successor is taken up; False if it ends earlier anyway."""
        unit = Unit([Statement("key.expire", {"id": key_id, "expires": at}, 1)], notify=["keys"])
        return (await self._store.commit(unit)).committed
