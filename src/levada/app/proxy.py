"""The object behind a dependency: a subclass of the contract, made for one consumer.

Each operation is generated as source with the contract's own parameters, because a
wrapper over ``*args`` costs twice as much (measured) and layers are to cost nothing.
What a call does: in a run it becomes a step; else arguments are checked, scopes and
deadline too, the callee gets a context of its own, the outcome is recorded, the
result is checked.
"""

from __future__ import annotations

import asyncio
import inspect
import keyword
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from time import monotonic
from typing import Any, Protocol, TypeAlias

import msgspec

from levada.app.border import Border, check_expression
from levada.app.context import Caller, Context, _current, trace_of
from levada.app.outcome import Refusal, outcome_of, settle
from levada.app.records import Recorder
from levada.contract.api import API, Contract
from levada.contract.operation import Operation
from levada.contract.problem import Problem
from levada.contract.standard import BadRequest, DeadlineExceeded, Forbidden, InternalError

__all__ = ["Link", "Target", "make_proxy"]


Observer: TypeAlias = Callable[[str, str, dict[str, Any]], None]
"""Takes consumer, operation and arguments of a call."""


class Target(Protocol):
    """What stands behind an operation: the implementation's method, or a call over HTTP."""

    def __call__(self, *arguments: Any) -> Awaitable[Any]:
        """Do it, with the contract's arguments by position."""
        ...


@dataclass(frozen=True)
class Link:
    """What the proxies of one consumer need."""

    consumer: str
    recorder: Recorder
    finish: Callable[[Context], Awaitable[None]]
    """Commits what the operation held back; called only if there is something."""
    wire: bool = False
    """Values cross in their wire form even where they need not."""
    observers: list[Observer] = field(default_factory=list)
    """Told of each call; for tests."""


class _Check:
    """The slow way of a border: convert, or refuse with the right problem."""

    def __init__(self, operation: Operation, name: str, *, always: bool) -> None:
        self.name = name
        self.always = always
        self.arguments = [Border(p.type) for p in operation.parameters]
        self.parameters = operation.parameters
        self.result = None if operation.shape == "none" else Border(operation.result)

    def argument(self, position: int, value: Any) -> Any:
        parameter = self.parameters[position]
        try:
            carried = self.arguments[position].carry(value, always=self.always)
        except (msgspec.ValidationError, TypeError, ValueError) as error:
            name = parameter.name
            raise Refusal(BadRequest(reason=f"{name}: {error}", place=name)) from None
        if carried == "" and parameter.place == "path":
            # Without its segment the path would be another one.
            reason = f"{parameter.name}: it is empty, and stands in the path"
            raise Refusal(BadRequest(reason=reason, place=parameter.name))
        return carried

    def outcome(self, value: Any) -> Any:
        if self.result is None:
            raise InternalError
        try:
            return self.result.carry(value, always=self.always)
        except (msgspec.ValidationError, TypeError, ValueError) as error:
            raise InternalError from error


def make_proxy(contract: Contract, targets: Mapping[str, Target], link: Link, dependency: str) -> API:
    """A keeper of the contract whose operations call the targets for one consumer.

    ``dependency`` is the contract's id, with ``@name`` where adapters are told apart.
    What undoes operations is inherited from the contract, so that its calls are the
    proxy's.
    """
    members: dict[str, Any] = {"__module__": contract.cls.__module__, "__levada_proxy__": dependency}
    for name, operation in contract.operations.items():
        members[name] = _method(operation, contract.operation_id(name), targets[name], link)
    # Made past the layer's own class hook: a proxy is no implementation to be checked.
    cls = type.__new__(type(contract.cls), contract.cls.__name__, (contract.cls,), members)
    cls.__abstractmethods__ = frozenset()  # type: ignore[attr-defined]
    return object.__new__(cls)


_VALUE = """
async def {name}(self, {signature}):
    _xparent = _get()
    if _xparent.run is not None:
        return await _xparent.run.call(self, _operation, ({arguments}))
    _xstart = _time()
    _xdeadline = _xparent.deadline{timeout}
    _xcaller = _xparent.caller
    _xreceived = _xparent.received
    _xtrace = _xparent.trace
    if not _xtrace and _xreceived is None:
        _xtrace = _trace(_xparent)
    _xcontext = _Context(_xdeadline, _xcaller, _consumer, _id, {key}, _xtrace, -1, _xparent.flags, _xreceived, _xparent.tracestate)
{attempt}
    _xtoken = _set(_xcontext)
    try:
{guards}
{checks}
        if _xstart >= _xdeadline:
            raise _Late()
        _xresult = await _target({positional})
        if _xcontext.held is not None:
            await _finish(_xcontext)
{result}
    except BaseException as _xerror:
        _xtold = _settle(_xerror, _operation, _id)
        if isinstance(_xtold, _Problem):
            _fail(_consumer, _xcaller.client, _id, _outcome(_xtold), _time() - _xstart, _xtold.code)
        if _xtold is _xerror:
            raise
        raise _xtold from _xerror
    finally:
        _reset(_xtoken)
    _xcell = _cells.get(_xcaller.client)
    if _xcell is None:
        _xcell = _cells[_xcaller.client] = _cell(_consumer, _xcaller.client, _id)
    _xus = int((_time() - _xstart) * 1e6)
    _xcell.latency[_xus.bit_length()] += 1
    _xcell.microseconds += _xus
    return _xresult
"""


def _method(operation: Operation, name: str, target: Target, link: Link) -> Callable[..., Any]:
    if operation.shape == "stream":
        return _stream(operation, name, target, link)
    check = _Check(operation, name, always=link.wire)
    namespace: dict[str, Any] = {
        "_Context": Context,
        "_Late": DeadlineExceeded,
        "_Problem": Problem,
        "_cell": link.recorder.cell,
        "_cells": {},
        "_fail": link.recorder.fail,
        "_argument": check.argument,
        "_consumer": link.consumer,
        "_deny": deny,
        "_finish": link.finish,
        "_get": _current.get,
        "_id": name,
        "_operation": operation,
        "_outcome": outcome_of,
        "_reset": _current.reset,
        "_result": check.outcome,
        "_scopes": operation.scopes,
        "_set": _current.set,
        "_settle": settle,
        "_observe": _observing(link, name),
        "_target": target if operation.timeout is None else bounded(target, operation.timeout),
        "_time": monotonic,
        "_trace": trace_of,
    }
    names = [p.name for p in operation.parameters]
    source = _VALUE.format(
        name=operation.name,
        signature=_signature(operation, namespace),
        arguments="".join(f"{n}, " for n in names),
        positional=", ".join(names),
        checks=_argument_checks(operation, namespace, link),
        timeout=""
        if operation.timeout is None
        else f"\n    if _xstart + {operation.timeout!r} < _xdeadline: _xdeadline = _xstart + {operation.timeout!r}",
        key="None" if operation.safe else "_xparent.next_key()",
        # Whether this is a repeat follows from whether the caller's own call is one.
        attempt=""
        if operation.safe
        else "    _xcontext.attempt = _xparent.attempt; _xcontext.fence = _xparent.fence",
        guards="        if not _xcaller.has(_scopes): raise _deny(_scopes, _xcaller)"
        if operation.scopes
        else "        pass",
        result=_result_check(operation, namespace, link),
    )
    exec(compile(source, f"<levada proxy {name}>", "exec"), namespace)  # noqa: S102 - made from the contract alone
    made: Callable[..., Any] = namespace[operation.name]
    made.__doc__ = operation.doc
    made.__signature__ = inspect.signature(operation.function)  # type: ignore[attr-defined]
    return made


def _observing(link: Link, name: str) -> Callable[..., None]:
    def observe(**named: Any) -> None:
        for observer in link.observers:
            observer(link.consumer, name, named)

    return observe


def deny(scopes: frozenset[str], caller: Caller) -> Refusal:
    """The refusal of a caller that lacks scopes, to be raised."""
    missing = ", ".join(sorted(scopes - caller.scopes))
    return Refusal(Forbidden(reason=f"The caller lacks the scope {missing}."))


def _signature(operation: Operation, namespace: dict[str, Any]) -> str:
    parts: list[str] = []
    for position, p in enumerate(operation.parameters):
        if keyword.iskeyword(p.name) or p.name.startswith("_"):
            raise ValueError(f"{operation.name}: a parameter cannot be called {p.name}")
        if p.required:
            parts.append(p.name)
        else:
            namespace[f"_default{position}"] = p.default
            parts.append(f"{p.name}=_default{position}")
    return ", ".join(parts)


def _argument_checks(operation: Operation, namespace: dict[str, Any], link: Link) -> str:
    lines: list[str] = []
    for position, p in enumerate(operation.parameters):
        fix = f"{p.name} = _argument({position}, {p.name})"
        expression = None if link.wire else check_expression(p.type, p.name, namespace)
        if expression is not None and p.place == "path" and p.type is str:
            expression = f"({expression} and {p.name})"
        lines.append(f"        {fix}" if expression is None else f"        if not {expression}: {fix}")
    if link.wire:
        lines.append(
            "        _observe(" + ", ".join(f"{p.name}={p.name}" for p in operation.parameters) + ")"
        )
    return "\n".join(lines)


def _result_check(operation: Operation, namespace: dict[str, Any], link: Link) -> str:
    if operation.shape == "none":
        return "        if _xresult is not None: _xresult = _result(_xresult)"
    expression = None if link.wire else check_expression(operation.result, "_xresult", namespace)
    return (
        "        _xresult = _result(_xresult)"
        if expression is None
        else f"        if not {expression}: _xresult = _result(_xresult)"
    )


def _stream(operation: Operation, name: str, target: Target, link: Link) -> Callable[..., Any]:
    check = _Check(operation, name, always=link.wire)
    signature = inspect.signature(operation.function)

    def open_stream(self: Any, *args: Any, **kwargs: Any) -> AsyncIterator[Any]:
        parent = _current.get()
        if parent.run is not None:
            raise TypeError(
                f"{name} is a stream, which a run cannot repeat; read it in an operation and call that"
            )
        bound = signature.bind(self, *args, **kwargs)
        bound.apply_defaults()
        values = [check.argument(i, bound.arguments[p.name]) for i, p in enumerate(operation.parameters)]
        context = Context(
            parent.deadline,
            parent.caller,
            link.consumer,
            name,
            None,
            trace_of(parent),
            -1,
            parent.flags,
            None,
            parent.tracestate,
        )
        return _items(operation, name, target, link, check, context, values)

    open_stream.__name__ = operation.name
    open_stream.__doc__ = operation.doc
    open_stream.__signature__ = signature  # type: ignore[attr-defined]
    return open_stream


async def _items(
    operation: Operation,
    name: str,
    target: Target,
    link: Link,
    check: _Check,
    context: Context,
    values: list[Any],
) -> AsyncIterator[Any]:
    start = monotonic()
    client = context.caller.client
    source: Any = None
    try:
        if not context.caller.has(operation.scopes):
            raise deny(operation.scopes, context.caller)
        while True:
            # Set and reset around each item: between them the caller's own context holds.
            token = _current.set(context)
            try:
                if source is None:
                    source = aiter(target(*values))  # type: ignore[arg-type]
                item = await anext(source)
            except StopAsyncIteration:
                break
            finally:
                _current.reset(token)
            yield check.outcome(item)
    except GeneratorExit:
        raise
    except BaseException as error:
        told = settle(error, operation, name)
        if isinstance(told, Problem):
            link.recorder.fail(link.consumer, client, name, outcome_of(told), monotonic() - start, told.code)
        if told is error:
            raise
        raise told from error
    finally:
        if source is not None and hasattr(source, "aclose"):
            await source.aclose()
    link.recorder.cell(link.consumer, client, name).add(monotonic() - start)


def bounded(target: Target, seconds: float) -> Target:
    """The target within a time of its own.

    Only operations with a time of their own pay for a timer; the entry keeps the caller's deadline.
    """

    async def within(*arguments: Any) -> Any:
        async with asyncio.timeout(seconds):
            return await target(*arguments)

    return within
