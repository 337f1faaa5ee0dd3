"""The gateway of a deployment: what it is told, its keys, and the actions of the admin that change them."""

from __future__ import annotations

import asyncio
import logging
import secrets
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import msgspec

from levada._errors import LevadaError
from levada.app import App
from levada.app.secrets import made_secret, resolve
from levada.channel import Partner
from levada.deployment.admin import Admin
from levada.deployment.build import build_app, store_file, store_url
from levada.deployment.configuration import Configuration
from levada.deployment.serve_owner import Owner, background
from levada.deployment.serve_places import store_path, worker_path
from levada.gateway import GatewayConfiguration, Listener, Upstream
from levada.gateway.assembly import plans_of, routes_of
from levada.gateway.errors import PlanNotOffered, ProductUnknown
from levada.gateway.fleet import checked_addresses
from levada.gateway.keys import ApiKeys, shown
from levada.store import Store, open_store
from levada.store.errors import StoreLocked
from levada.store.trying import TryingStore

if TYPE_CHECKING:
    from levada.gateway.supervise import EnvoySupervisor

__all__ = ["Door", "for_fleet", "keys_of", "told"]

log = logging.getLogger("levada.gateway")

_LOOK = 2.0
"""Seconds between looks for keys that have ended by themselves, or were changed by another process."""


def keys_of(configuration: Configuration, store: Store) -> ApiKeys:
    """The keys of a deployment, under its master secret."""
    section = configuration.gateway
    file = configuration.path(section.dir) / "master.key"
    if section.master is not None:
        master = resolve(section.master, "[gateway] master").encode()
    elif isinstance(store, TryingStore) and not file.exists():
        master = secrets.token_bytes(32)
    else:
        master = made_secret(file)
    return ApiKeys(store, master, configuration.app.environment, list(configuration.plans))


async def for_fleet(
    configuration: Configuration, upstreams: list[str] | None, *, keys: bool
) -> GatewayConfiguration:
    """What a fleet's gateways are told; with the keys that are good now, or with none."""
    addresses = checked_addresses(
        upstreams or [f"unix:{worker_path(configuration, n)}" for n in range(configuration.server.workers)]
    )
    app = build_app(configuration)
    file = store_file(store_url(configuration))
    if not keys or (file is not None and not file.exists()):  # a store that is not there has no keys
        return await told(configuration, app, None, addresses)
    store = await _store(configuration)
    try:
        return await told(configuration, app, keys_of(configuration, store), addresses)
    finally:
        await store.close()


async def _store(configuration: Configuration) -> Store:
    """The store, or the way to it through the deployment that has it open."""
    try:
        return await open_store(store_url(configuration))
    except StoreLocked as locked:
        return await open_store(f"unix:{store_path(str(locked.values['path']))}")


async def told(
    configuration: Configuration, app: App, keys: ApiKeys | None, addresses: list[str]
) -> GatewayConfiguration:
    """What the gateway is told now."""
    section = configuration.gateway
    return GatewayConfiguration(
        listener=Listener(host=section.host, port=section.port, body_limit=section.body_limit),
        routes=routes_of(app),
        upstreams=[Upstream(name="app", addresses=addresses)],
        plans=plans_of({name: plan.rate for name, plan in configuration.plans.items()}),
        credentials=[] if keys is None else await keys.credentials(),
        environment=configuration.app.environment,
    )


async def _look(bring: Callable[[], Awaitable[None]]) -> None:
    while True:
        await asyncio.sleep(_LOOK)
        try:
            await bring()
        except LevadaError as error:
            log.error("gateway_configuration_kept", extra={"reason": error.message})


class Door:
    """The gateway of one deployment, running or not, as the admin's actions see it."""

    def __init__(self, configuration: Configuration) -> None:
        self._configuration = configuration
        self._envoy: EnvoySupervisor | None = None
        self._applying = asyncio.Lock()
        self._bring: Callable[[], Awaitable[None]] | None = None

    def extend(self, admin: Admin, store: Store) -> None:
        """Add the actions of keys and of the gateway."""
        keys = _KeyActions(
            keys_of(self._configuration, store),
            self._configuration,
            _nothing if isinstance(store, TryingStore) else self._in_force,
        )
        admin.register("keys.list", keys.list, change=False)
        admin.register("keys.create", keys.create, change=True)
        admin.register("keys.rotate", keys.rotate, change=True)
        admin.register("keys.revoke", keys.revoke, change=True)
        admin.register("gateway.status", self._status, change=False)

    @asynccontextmanager
    async def front(self, app: App, owner: Owner, addresses: list[str]) -> AsyncGenerator[str]:
        """Envoy in front of these addresses while the block runs; the URL of the gateway."""
        # Not above: a verb that runs no gateway loads no HTTP client.
        from levada.gateway.supervise import EnvoySupervisor

        keys = keys_of(self._configuration, owner.store)
        first = await told(self._configuration, app, keys, addresses)
        folder = self._configuration.path(self._configuration.gateway.dir)
        async with EnvoySupervisor(first, folder) as envoy:
            known = first

            async def bring() -> None:
                nonlocal known
                async with self._applying:
                    now = await told(self._configuration, app, keys, addresses)
                    if now != known:
                        await envoy.apply(now)
                        known = now

            self._envoy, self._bring = envoy, bring
            try:
                async with background(_look(bring)):
                    yield f"http://{envoy.address}"
            finally:
                self._envoy = self._bring = None

    async def _in_force(self) -> None:
        """A key is told only when it is good at the gateway; a revoked one is refused when this returns."""
        if self._bring is not None:
            await self._bring()

    async def _status(self) -> Any:
        if self._envoy is None:
            return {"running": False, "reason": "this deployment runs without a gateway; levada up has one"}
        return msgspec.structs.asdict(self._envoy.status())


async def _nothing() -> None:
    """What is only tried is brought to no gateway."""


def _plans_of_partners(app: App, product: str) -> list[str]:
    """The plans of an API that has no channel but partners; none: any plan may be that of another channel."""
    channels = app.plan.served[product].contract.channels
    if not all(isinstance(channel, Partner) for channel in channels):
        return []
    return sorted({plan for channel in channels for plan in channel.plans})


class _KeyActions:
    """The admin's actions of keys. ``in_force``: brings what has changed to the gateway."""

    def __init__(
        self, keys: ApiKeys, configuration: Configuration, in_force: Callable[[], Awaitable[None]]
    ) -> None:
        self._keys, self._configuration, self._in_force = keys, configuration, in_force

    async def list(self, consumer: str = "") -> Any:
        now = await self._keys.now()
        return [shown(key, now) for key in await self._keys.list(consumer)]

    async def create(
        self, consumer: str, product: str, plan: str, days: int | None = None, why: str = ""
    ) -> Any:
        del why  # the audit has it
        app = build_app(self._configuration)
        offered = sorted({route.product for route in routes_of(app)})
        if product not in offered:
            raise ProductUnknown(product=product, offered=", ".join(offered) or "nothing")
        partners = _plans_of_partners(app, product)
        if partners and plan not in partners:
            raise PlanNotOffered(product=product, offered=", ".join(partners), plan=plan)
        # By the store's clock, by which keys end: that of whoever asks may have been set.
        expires = None if days is None else await self._keys.now() + days * 86_400_000_000
        made = await self._keys.create(consumer=consumer, product=product, plan=plan, expires=expires)
        await self._in_force()
        return msgspec.structs.asdict(made)

    async def rotate(self, id: str, grace: int = 86_400_000_000, why: str = "") -> Any:
        del why
        made = await self._keys.rotate(id, grace=grace)
        await self._in_force()
        return msgspec.structs.asdict(made)

    async def revoke(self, id: str, why: str) -> None:
        del why
        await self._keys.revoke(id)
        await self._in_force()
