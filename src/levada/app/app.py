"""The app: classes assembled into a running network."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from contextlib import AsyncExitStack
from typing import TYPE_CHECKING, Any, TypeVar

from levada.app.assembly import Away, Local, Plan, assemble
from levada.app.binding import Bind
from levada.app.context import Context, current
from levada.app.effects import EffectTable, KeyedDatabase, with_answers, with_effect
from levada.app.errors import AssemblyError, NoStore
from levada.app.ports import AwaitsPort, PublishesPort
from levada.app.protect import Protect, Shield
from levada.app.proxy import Link, Observer, Target, make_proxy
from levada.app.records import Recorder
from levada.app.runtime import Runtime
from levada.app.settings import Settings
from levada.contract.api import API, ContractClass, contract_of
from levada.contract.operation import Operation

if TYPE_CHECKING:
    from levada.app.server import Server

__all__ = ["App"]

A = TypeVar("A", bound=API)


class App:
    """A network of APIs in one process: ``App(ErpCustomers, OrderToCash, bind={…})``.

    It checks everything it can when it is made. It serves as an ASGI application, and
    ``app[Orders]`` calls an API in process.

    Args:
        parts: The classes (or instances) that keep contracts here.
        bind: Contract or its id -> class, ``"module:Class"``, URL or a table with ``url``.
        resources: By name, what adapters use: objects with ``start`` and ``stop``
            where they need it.
        settings: How calls are taken in and who may call; see :class:`Settings`.

    Raises:
        ModelError: The parts do not fit; names the class, the line and the mend.
    """

    def __init__(
        self,
        *parts: type[API] | API,
        bind: Mapping[Any, Bind] | None = None,
        resources: Mapping[str, Any] | None = None,
        settings: Settings | None = None,
    ) -> None:
        self.settings = settings or Settings()
        self.resources = dict(resources or {})
        self.plan: Plan = assemble(parts, bind or {})
        self.recorder = Recorder(self.settings.environment)
        self.runtime: Runtime | None = None
        self.effects: EffectTable | None = None
        self.targets: dict[str, dict[str, Target]] = {}
        self._ports: list[PublishesPort] = []
        self._remotes: dict[str, Any] = {}
        self._stack: AsyncExitStack | None = None
        self._server: Server | None = None
        self._entries: dict[str, API] = {}
        self._observers: list[Observer] = []
        for local in self.plan.locals:
            self._bind_resources(local)
        for local in self.plan.locals:
            self.targets[id_of(local)] = self._local_targets(local)
        for local in self.plan.locals:
            self._bind_dependencies(local)

    # -- what stands behind contracts -------------------------------------------------

    def _bind_resources(self, local: Local) -> None:
        for attribute, (reference, _) in local.implementation.resources.items():
            if reference.name not in self.resources:
                known = ", ".join(sorted(self.resources)) or "none"
                raise AssemblyError(
                    place=f"{local.implementation.place}, attribute {attribute}",
                    reason=f"there is no resource {reference.name!r} (known: {known})",
                    mend=f"State [resources.{reference.name}] in levada.toml, or App(resources={{{reference.name!r}: …}})",
                )
            value = self.resources[reference.name]
            setattr(local.instance, attribute, KeyedDatabase(value) if hasattr(value, "begin") else value)

    def _bind_dependencies(self, local: Local) -> None:
        implementation = local.implementation
        for attribute, dependency in implementation.dependencies.items():
            behind = self.plan.bound[local.contract.id, attribute]
            setattr(
                local.instance,
                attribute,
                self._proxy(dependency.contract, behind, local.contract.id, dependency.id),
            )
        for attribute, kind in implementation.publishes.items():
            port = PublishesPort(kind, f"{implementation.cls.__name__}.{attribute}")
            self._ports.append(port)
            setattr(local.instance, attribute, port)
        for attribute, kind in implementation.awaits.items():
            setattr(local.instance, attribute, AwaitsPort(kind, f"{implementation.cls.__name__}.{attribute}"))

    def _proxy(self, contract: Any, behind: Local | Away, consumer: str, dependency: str) -> API:
        link = Link(consumer, self.recorder, self.finish, self.settings.wire, self._observers)
        if isinstance(behind, Local):
            return make_proxy(contract, self.targets[id_of(behind)], link, dependency)
        return make_proxy(contract, self._remote(dependency, behind).targets(contract), link, dependency)

    def _remote(self, dependency: str, away: Away) -> Any:
        from levada.app.client import RemoteAPI

        if dependency not in self._remotes:
            self._remotes[dependency] = RemoteAPI(away.contract, away.remote, self.settings)
        return self._remotes[dependency]

    def _local_targets(self, local: Local) -> dict[str, Target]:
        protect = local.implementation.protect
        shield = Shield(protect) if isinstance(protect, Protect) else None
        return {
            name: self._local_target(local, name, operation, shield)
            for name, operation in local.contract.operations.items()
        }

    def _local_target(self, local: Local, name: str, operation: Operation, shield: Shield | None) -> Target:
        method: Target = getattr(local.instance, name)
        if operation.shape == "stream":
            return method
        target = method if operation.safe else self._unsafe_target(local, name, operation, method)
        return target if shield is None else _shielded(shield, target)

    def _unsafe_target(self, local: Local, name: str, operation: Operation, method: Target) -> Target:
        """The method of an operation that changes something, behind what recognises a repeat of the call."""
        effect = local.implementation.effects.get(name)
        if effect is not None:
            return with_effect(method, local.instance, operation, effect, lambda: self.effects)
        if _fakes_a_system(local):
            return with_answers(method, operation)
        if operation.durable:
            return self._durable(local.contract.operation_id(name), operation)
        if local.contract.layer != "system":
            return self._once(local.contract.operation_id(name), operation, method)
        return method

    def _once(self, name: str, operation: Operation, target: Target) -> Target:
        # Not a coroutine of its own: most calls have no key, and go to the target as they are.
        def once(*arguments: Any) -> Awaitable[Any]:
            context = current()
            if context.key is None or self.runtime is None:
                return target(*arguments)
            return self.runtime.once(context, name, operation, arguments, lambda: target(*arguments))

        return once

    def _durable(self, name: str, operation: Operation) -> Target:
        async def begin(*arguments: Any) -> Any:
            if self.runtime is None:
                raise NoStore(what=f"The durable operation {name}")
            return await self.runtime.begin(current(), name, operation, arguments)

        return begin

    async def finish(self, context: Context) -> None:
        """Commit the events that an operation held back."""
        if self.runtime is None:
            raise NoStore(what="Publishing an event")
        await self.runtime.commit(context)

    # -- life -------------------------------------------------------------------------

    def attach(self, runtime: Runtime | None, effects: EffectTable | None = None) -> None:
        """Hand events, runs and effects to a runtime; before the app starts."""
        self.runtime = runtime
        self.effects = effects
        for port in self._ports:
            port.attach(runtime)

    @property
    def running(self) -> bool:
        """Whether it has started and not yet stopped."""
        return self._stack is not None

    async def start(self) -> None:
        """Start resources, adapters and the runtime, in this order. On an error what has started is stopped."""
        if self._stack is not None:
            return
        async with AsyncExitStack() as stack:
            for remote in self._remotes.values():
                await _started(stack, remote)
            for resource in self.resources.values():
                await _started(stack, resource)
            for local in self.plan.locals:
                await _started(stack, local.instance)
            if self.runtime is not None:
                await _started(stack, self.runtime)
            self._stack = stack.pop_all()

    async def stop(self) -> None:
        """Stop what was started, newest first. Calling it twice is fine."""
        stack, self._stack = self._stack, None
        if stack is not None:
            await stack.aclose()

    async def __aenter__(self) -> App:
        await self.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.stop()

    # -- calls ------------------------------------------------------------------------

    def __getitem__(self, contract: ContractClass[A]) -> A:
        """Call an API of this app in process, as the context's caller."""
        wanted = contract_of(contract)
        if wanted.id not in self._entries:
            local = self.plan.served.get(wanted.id)
            if local is None:
                served = ", ".join(sorted(self.plan.served)) or "none"
                raise AssemblyError(
                    place="app", reason=f"{wanted.id} is not served here", mend=f"Served are: {served}"
                )
            self._entries[wanted.id] = self._proxy(wanted, local, "", wanted.id)
        return self._entries[wanted.id]  # type: ignore[return-value]

    def targets_of(self, local: Local) -> dict[str, Target]:
        """What stands behind the operations of an implementation, with its shield and its effects."""
        return self.targets[id_of(local)]

    def observe(self, observer: Observer) -> None:
        """Be told of every call that crosses a border; only where ``settings.wire`` is on."""
        self._observers.append(observer)

    def instance(self, contract_id: str) -> API:
        """The object that keeps a contract here."""
        return self.plan.served[contract_id].instance

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """Serve a request: the ASGI 3 interface."""
        if scope["type"] == "http":
            await (self._server or self.server).request(scope, receive, send)
        else:
            await self.server(scope, receive, send)

    @property
    def server(self) -> Server:
        """The server of this app: routes may be added to it before the first request."""
        if self._server is None:
            from levada.app.server import Server

            self._server = Server(self)
        return self._server


def id_of(local: Local) -> str:
    """What tells two adapters of one contract apart."""
    return f"{local.contract.id}={id(local.instance)}"


def _fakes_a_system(local: Local) -> bool:
    return local.contract.layer == "system" and getattr(local.instance, "__levada_fake__", False)


def _shielded(shield: Shield, target: Target) -> Target:
    def shielded(*arguments: Any) -> Awaitable[Any]:
        return shield.call(target, arguments)

    return shielded


async def _started(stack: AsyncExitStack, part: Any) -> None:
    start = getattr(part, "start", None)
    if callable(start):
        outcome = start()
        if outcome is not None:
            await outcome  # type: ignore[misc]
    stop = getattr(part, "stop", None)
    if callable(stop):
        stack.push_async_callback(_stopped, stop)


async def _stopped(stop: Callable[[], Any]) -> None:
    outcome = stop()
    if outcome is not None:
        await outcome
