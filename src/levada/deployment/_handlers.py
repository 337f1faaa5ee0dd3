"""Handlers and durable operations of an app, as the code that runs are made of."""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Mapping, Sequence
from datetime import timedelta
from typing import Any

import msgspec

from levada.app import App, Away, Caller, Context, Local, Remote
from levada.app.context import Received, _current, in_run
from levada.contract.event import Event, EventType, event_type
from levada.contract.operation import Operation, Undo
from levada.contract.problem import Problem
from levada.deployment import _codec
from levada.process import await_step, call_step, publish_step
from levada.process._protocol import Effect, HandlerId, RunInput
from levada.process._protocol import Operation as StepOperation
from levada.process._steps import Step
from levada.process.run import Compensate

__all__ = ["Code", "Declined", "codes_of", "service_caller"]


class Declined(Compensate):
    """A durable operation ended with a problem that it declares: undone, and answered with that problem."""

    MARK = "declined "

    def __init__(self, problem: Problem) -> None:
        super().__init__(self.MARK + _codec.encode_problem(problem).decode())


class _Called:
    """One operation that a run may call: the proxy it goes through, and what undoes it."""

    def __init__(
        self,
        attribute: str,
        operation: Operation,
        effect: Effect,
        undo: tuple[Undo, Callable[..., Any]] | None,
    ) -> None:
        self.attribute = attribute
        self.operation = operation
        self.effect = effect
        self.undo = undo


class _Port:
    """Turns what code does inside a run into steps; see :class:`levada.app.context.RunPort`."""

    def __init__(self, code: Code) -> None:
        self._code = code

    async def call(self, proxy: Any, operation: Operation, arguments: tuple[Any, ...]) -> Any:
        return await call_step(
            _step_name(type(proxy).__levada_proxy__, operation.name),
            _codec.encode_arguments(operation, arguments),
            (proxy, operation, arguments, self._code.caller),
        )

    async def publish(self, kind: EventType, event: Event) -> None:
        await publish_step(kind.type, kind.key_of(event), kind.encode(event), (kind, event))

    async def wait(self, kind: EventType, key: str, timeout: timedelta | None) -> Any:
        return await await_step(kind.type, key, timeout)


class Code:
    """One version of one handler (or a durable operation) of an implementation.

    Keeps :class:`levada.process._protocol.Handler`.
    """

    def __init__(
        self,
        app: App,
        local: Local,
        name: str,
        version: int,
        function: Callable[..., Coroutine[Any, Any, Any]],
        event: EventType | None,
        *,
        across_waits: bool = False,
        operation: Operation | None = None,
    ) -> None:
        contract = local.contract
        self.id = HandlerId(contract.domain, f"{contract.name}.v{contract.version.major}", name, version)
        self.awaits: Sequence[str] = tuple(sorted({k.type for k in local.implementation.awaits.values()}))
        self.across_waits = across_waits
        self.event = event
        self.durable = operation
        self.local = local
        self._function = function
        self._events = {k.type: k for k in local.implementation.awaits.values()}
        self._called = _called(app, local)
        self._port = _Port(self)
        self.caller = service_caller(app, local)

    def start(self, given: RunInput) -> Coroutine[Any, Any, Any]:
        """The coroutine of the handler, not begun."""
        if self.event is not None:
            return self._within(self._function(self.local.instance, self.event.decode(given.data)))
        assert self.durable is not None
        return self._within(self._performed(self.durable, _codec.decode_arguments(self.durable, given.data)))

    async def _within(self, body: Coroutine[Any, Any, Any]) -> Any:
        # The driver gives each run a fresh context, and its branches copies of it.
        context = Context(caller=self.caller, consumer=self.local.contract.id, run=self._port)
        if (whose := in_run.get()) is not None and whose.traceparent:
            context.received = Received(whose.traceparent.encode())
        _current.set(context)
        return await body

    async def _performed(self, operation: Operation, arguments: tuple[Any, ...]) -> Any:
        """A durable operation; not its undos, whose problems are their own."""
        try:
            return await self._function(self.local.instance, *arguments)
        except Problem as problem:
            if problem.code not in operation.declared:
                raise
            raise Declined(problem) from None

    def undo(self, step: Step, result: bytes) -> Coroutine[Any, Any, Any] | None:
        """What undoes a step that has succeeded; None: it is final, safe, or an undo's own call."""
        called = self._called.get(step.operation)
        if called is None or called.undo is None:
            return None
        undo, method = called.undo
        value = _codec.decode_result(called.operation, result)
        arguments = _codec.decode_arguments(called.operation, step.arguments) if undo.takes_arguments else ()
        # A contract's own undo runs on the proxy, one stated in the process on the process.
        stated = self.local.implementation.undone
        owner = (
            self.local.instance
            if any(method is m for _, m in stated.values())
            else getattr(self.local.instance, called.attribute)
        )
        return self._within(method(owner, value, *arguments))

    def kind(self, type_: str) -> EventType | None:
        """What is known of an event type that the code waits for."""
        return self._events.get(type_)

    def called(self, operation: str) -> Operation | None:
        """The operation that a step calls; None for a step that calls none."""
        found = self._called.get(operation)
        return None if found is None else found.operation

    def operation(self, operation: str) -> StepOperation:
        """What is to be known of an operation that a run calls."""
        called = self._called[operation]
        return StepOperation(effect=called.effect, undoable=called.undo is not None)

    def payload(self, step: Step) -> Any:
        """What the performer needs of a call that is known from the journal alone."""
        called = self._called[step.operation]
        proxy = getattr(self.local.instance, called.attribute)
        arguments = _codec.decode_arguments(called.operation, step.arguments)
        return proxy, called.operation, arguments, self.caller

    def result(self, step: Step, value: bytes) -> Any:
        """The result of a call or the event of a wait."""
        if step.operation.startswith("await "):
            return self._events[step.operation[6:]].decode(value)
        return _codec.decode_result(self._called[step.operation].operation, value)

    def problem(self, step: Step, value: bytes) -> Exception:
        """The problem with which a call was refused."""
        return _codec.decode_problem(self._called[step.operation].operation, value)

    def encode(self, value: Any) -> bytes:
        """What the code returned."""
        return _codec.encode_result(value)

    def arguments(self, arguments: tuple[Any, ...]) -> bytes:
        """The input of a durable operation's run."""
        assert self.durable is not None
        return msgspec.json.encode(_codec.encode_arguments(self.durable, arguments), order="deterministic")


def service_caller(app: App, local: Local) -> Caller:
    """Who a run acts as: its service, licensed by its attributes to what the contracts behind them ask for."""
    scopes: set[str] = set()
    for dependency in local.implementation.dependencies.values():
        for operation in dependency.contract.operations.values():
            scopes |= operation.scopes
    name = f"service:{local.contract.id}"
    return Caller(
        subject=name,
        client=name,
        scopes=frozenset(scopes),
        environment=app.settings.environment,
        method="service",
    )


def _step_name(dependency: str, operation: str) -> str:
    """``sales/Customers/v2.hold``, or ``sales/Customers/v2@eu.hold``: undos and recovery call the same adapter again."""
    return f"{dependency}.{operation}"


def _called(app: App, local: Local) -> Mapping[str, _Called]:
    found: dict[str, _Called] = {}
    implementation = local.implementation
    for attribute, dependency in implementation.dependencies.items():
        behind = app.plan.bound[local.contract.id, attribute]
        for name, operation in dependency.contract.operations.items():
            undo: tuple[Undo, Callable[..., Any]] | None = implementation.undone.get(
                (dependency.contract.id, name)
            )
            if undo is None and operation.undo is not None:
                undo = (operation.undo, dependency.contract.undone[name])
            found[_step_name(dependency.id, name)] = _Called(
                attribute, operation, _effect(operation, behind), undo
            )
    return found


def _effect(operation: Operation, behind: Local | Away) -> Effect:
    if operation.safe:
        return Effect.SAFE
    if isinstance(behind, Away):
        # The key travels in a header; what keeps it there is the provider's adapter.
        remote: Remote = behind.remote
        return Effect.AT_LEAST_ONCE if remote.effect == "at_least_once" else Effect.PASSES_KEY
    effect = behind.implementation.effects.get(operation.name)
    # A process answers a repeated key from its own idempotency record.
    return Effect(effect.kind) if effect is not None else Effect.TABLE


def codes_of(app: App) -> list[Code]:
    """All versions of all handlers and durable operations of an app; the present version of each first."""
    codes: list[Code] = []
    for local in app.plan.locals:
        for name, handler in local.implementation.handlers.items():
            kind = event_type(handler.spec.event)
            for number, version in {handler.number: handler, **handler.former}.items():
                codes.append(
                    Code(
                        app,
                        local,
                        name,
                        number,
                        version.function,
                        kind,
                        across_waits=handler.spec.across_waits,
                    )
                )
        for name, operation in local.contract.operations.items():
            if operation.durable:
                codes.append(
                    Code(app, local, name, 1, getattr(type(local.instance), name), None, operation=operation)
                )
    return codes
