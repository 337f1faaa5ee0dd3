"""How an operation travels over HTTP: ``@http.get("/customers/{id}", raises=[CustomerNotFound])``.

The decorators stand over ``@abstractmethod`` in a contract and return the method
unchanged. Path parameters are taken by name. In GET and DELETE the other parameters
are query parameters; in POST, PUT and PATCH one Struct is the body, several
parameters are the body's members.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, TypeVar

from msgspec import Struct

from levada.contract.errors import ContractError, here
from levada.contract.problem import Problem

__all__ = ["Http", "delete", "get", "patch", "post", "put"]

F = TypeVar("F", bound=Callable[..., Any])


class Http(Struct, frozen=True):
    """What a decorator of this module says of a method."""

    method: str
    path: str
    status: int | None
    raises: Sequence[type[Problem]]
    scopes: Sequence[str]
    durable: bool
    final: bool
    tool: str | None
    timeout: float | None
    line: str


def get(
    path: str,
    *,
    raises: Sequence[type[Problem]] = (),
    scopes: Sequence[str] = (),
    tool: str | None = None,
    timeout: float | None = None,
    status: int | None = None,
) -> Callable[[F], F]:
    """A read: changes nothing, may be repeated and shadowed.

    Args:
        path: Below the API's own path, with ``{name}`` for parameters.
        raises: The problems it declares.
        scopes: What a caller needs, all of them.
        tool: The question it answers, where an agent may use it as a tool.
        timeout: Seconds that it may take at most, under the caller's deadline.
        status: The status of success; default 200, or 204 without a result.
    """
    return _mark(Http("GET", path, status, raises, scopes, False, False, tool, timeout, here()))


def post(
    path: str,
    *,
    raises: Sequence[type[Problem]] = (),
    scopes: Sequence[str] = (),
    durable: bool = False,
    final: bool = False,
    tool: str | None = None,
    timeout: float | None = None,
    status: int | None = None,
) -> Callable[[F], F]:
    """A change. ``durable``: it is a run. ``final``: a run cannot undo it. The rest as :func:`get`."""
    return _mark(Http("POST", path, status, raises, scopes, durable, final, tool, timeout, here()))


def put(
    path: str,
    *,
    raises: Sequence[type[Problem]] = (),
    scopes: Sequence[str] = (),
    durable: bool = False,
    final: bool = False,
    tool: str | None = None,
    timeout: float | None = None,
    status: int | None = None,
) -> Callable[[F], F]:
    """A change that replaces what is there. Parameters as :func:`post`."""
    return _mark(Http("PUT", path, status, raises, scopes, durable, final, tool, timeout, here()))


def patch(
    path: str,
    *,
    raises: Sequence[type[Problem]] = (),
    scopes: Sequence[str] = (),
    durable: bool = False,
    final: bool = False,
    tool: str | None = None,
    timeout: float | None = None,
    status: int | None = None,
) -> Callable[[F], F]:
    """A change of a part. Parameters as :func:`post`."""
    return _mark(Http("PATCH", path, status, raises, scopes, durable, final, tool, timeout, here()))


def delete(
    path: str,
    *,
    raises: Sequence[type[Problem]] = (),
    scopes: Sequence[str] = (),
    final: bool = False,
    tool: str | None = None,
    timeout: float | None = None,
    status: int | None = None,
) -> Callable[[F], F]:
    """A removal. Parameters as :func:`post`; it has no body."""
    return _mark(Http("DELETE", path, status, raises, scopes, False, final, tool, timeout, here()))


def _mark(spec: Http) -> Callable[[F], F]:
    if not spec.path.startswith("/") or "//" in spec.path or any(c in spec.path for c in " ?#%"):
        raise ContractError(
            place=spec.line,
            reason=f"the path {spec.path!r} is not one",
            mend="Begin with /, write plain segments and {name} for parameters",
        )
    if spec.status is not None and not 200 <= spec.status <= 299:
        raise ContractError(
            place=spec.line, reason=f"status={spec.status} is no success", mend="Choose one from 200 to 299"
        )
    if spec.timeout is not None and spec.timeout <= 0:
        raise ContractError(
            place=spec.line, reason=f"timeout={spec.timeout} leaves no time", mend="State seconds above 0"
        )

    def mark(function: F) -> F:
        function.__levada_http__ = spec  # type: ignore[attr-defined]
        return function

    return mark
