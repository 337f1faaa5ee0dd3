"""A WSDL as a contract and the calls of its service; zeep reads it."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Any

# zeep comes without usable types: what it gives is Any here.
# pyright: reportAttributeAccessIssue=false, reportArgumentType=false, reportCallIssue=false
from levada.connect.adopt._fetch import Place
from levada.connect.adopt._shapes import Listed, Member, Plain, Shape
from levada.connect.adopt._xsd import XsdTypes
from levada.connect.adopt.errors import NotAdopted, NotFetched
from levada.connect.errors import ExtraMissing
from levada.contract._generate.model import Field, Method, Module, ProblemClass, class_name, snake_name
from levada.contract._generate.names import method_name

__all__ = ["SoapCall", "SoapService", "read_wsdl"]

_READS = (
    "get",
    "find",
    "list",
    "search",
    "query",
    "read",
    "lookup",
    "fetch",
    "retrieve",
    "count",
    "is",
    "has",
)
_MAKES = ("create", "add", "insert", "make", "new")
_UNDO = "undo: write @undoes({name}) below it, or say final=True"


@dataclass
class SoapCall:
    """An operation of the service: ``result`` None: it answers nothing."""

    method: Method
    operation: str
    arguments: list[Member]
    result: Shape | None = None
    optional: bool = False


@dataclass
class SoapService:
    """What a WSDL describes; ``service`` and ``port`` where they are not its first."""

    module: Module
    types: XsdTypes
    calls: list[SoapCall] = field(default_factory=list[SoapCall])
    service: str | None = None
    port: str | None = None


def read_wsdl(
    place: Place, *, name: str | None, domain: str | None, service: str | None = None
) -> SoapService:
    """The service of a WSDL.

    Args:
        place: Where the WSDL is.
        name: The contract's class; default: the service's name.
        domain: Who owns it; default ``external``, to be decided.
        service: Which service, where the WSDL has several.

    Raises:
        NotFetched: The WSDL or what it imports cannot be read.
        NotAdopted: It is no WSDL, or has no service over SOAP.
        ExtraMissing: zeep is not installed.
    """
    found = _parsed(place)
    chosen, port = _port(place, found, service)
    module = Module(
        name=name or class_name(re.sub(r"(?i)(web)?_?services?$", "", chosen.name) or chosen.name),
        layer="system",
        domain=domain or "external",
        version="1.0",
        doc=_doc(chosen) or f"The service {chosen.name}, as its WSDL describes it.",
    )
    if domain is None:
        module.decide.append("owner: the domain that owns this API")
    types = XsdTypes(module)
    made = SoapService(
        module, types, service=None if chosen.name == next(iter(found.services)) else chosen.name
    )
    made.port = None if port is next(iter(chosen.ports.values())) else port.name
    refused = ProblemClass(
        types.taken.take(f"{module.name}Refused"),
        422,
        [Field("fault", "str"), Field("reason", "str")],
        "The service answered with a SOAP fault: its code, and what it said.",
        "{fault}: {reason}",
    )
    module.problems.append(refused)
    for operation in port.binding._operations.values():
        try:
            call = _call(operation, types, refused.name)
        except LeftOut as reason:
            module.notes.append(f"{operation.name}: left out, {reason}")
            continue
        _place(call, module)
        made.calls.append(call)
    module.prune()
    if not made.calls:
        raise NotAdopted(
            place=place.shown,
            reason=f"no operation of {chosen.name} can be carried over: {'; '.join(module.notes) or 'it has none'}",
            mend="Give another WSDL",
        )
    return made


class LeftOut(Exception):
    """Why an operation cannot be carried over."""


def _parsed(place: Place) -> Any:
    try:
        from lxml import etree
        from zeep import Settings
        from zeep.exceptions import Error
        from zeep.transports import Transport
        from zeep.wsdl import Document
    except ImportError:
        raise ExtraMissing(what="Reading a WSDL", extra="soap") from None
    transport = Transport()
    transport.load = place.load
    settings = Settings(strict=True, forbid_dtd=True, forbid_entities=True, forbid_external=False)
    try:
        return Document(place.root, transport, settings=settings)
    except NotFetched:
        raise
    except (Error, etree.LxmlError, LookupError, ValueError, TypeError, AttributeError) as error:
        # zeep stumbles over malformed documents in many ways; each of them means the same here.
        reason = " ".join(str(error).split())[:300] or type(error).__name__
        raise NotAdopted(
            place=place.shown,
            reason=f"it cannot be read as a WSDL: {reason}",
            mend="Check it with its provider",
        ) from None


def _port(place: Place, found: Any, wanted: str | None) -> tuple[Any, Any]:
    from zeep.wsdl.bindings.soap import SoapBinding

    if wanted is not None and wanted not in found.services:
        raise NotAdopted(
            place=place.shown,
            reason=f"it has no service {wanted}",
            mend=f"It has {', '.join(found.services) or 'none'}",
        )
    for service in [found.services[wanted]] if wanted else found.services.values():
        for port in service.ports.values():
            if isinstance(port.binding, SoapBinding):
                return service, port
    raise NotAdopted(
        place=place.shown,
        reason="it has no service over SOAP 1.1 or 1.2",
        mend="Give the WSDL of a SOAP service",
    )


def _call(operation: Any, types: XsdTypes, refused: str) -> SoapCall:
    if _has_headers(operation.input) or _has_headers(operation.output):
        raise LeftOut("it has SOAP headers, which the connector does not send or read")
    arguments = _arguments(operation, types)
    method = Method(
        method_name(operation.name, types.module), "post", "", [], "None", _doc(operation.abstract)
    )
    method.options["raises"] = f"[{refused}]"
    call = SoapCall(method, operation.name, arguments)
    _answer(call, operation, types)
    method.arguments = [Field(a.name, a.type, a.default) for a in arguments]
    return call


def _arguments(operation: Any, types: XsdTypes) -> list[Member]:
    body = operation.input.body
    if body is None:
        return []
    kind = body.type
    if not hasattr(kind, "elements_nested"):
        raise LeftOut("its request is one simple value")
    members = types.members(kind, f"{operation.name}Request")
    if any(not m.wire.isidentifier() and m.wire.startswith("_") for m in members):
        raise LeftOut("its request holds elements without a name")
    return members


def _answer(call: SoapCall, operation: Any, types: XsdTypes) -> None:
    """What zeep hands out of an answer: elements that hold nothing else are opened, twice at most."""
    output = operation.output
    body = None if output is None else output.body
    if body is None:
        return
    members = (
        types.members(body.type, f"{operation.name}Response") if hasattr(body.type, "elements_nested") else []
    )
    if len(members) == 1:
        (only,) = members
        call.result, call.optional = only.shape, only.optional
        if isinstance(only.shape, Listed) and only.shape.wrapper is not None:
            call.result = Listed(only.shape.item)
        elif (inner := types.alone(only.shape)) is not None:
            call.result, call.optional = inner.shape, only.optional or inner.optional
        _typed(call)
        return
    if members:
        call.result = types.record_of(f"{operation.name}Result", members)
        _typed(call)


def _typed(call: SoapCall) -> None:
    assert call.result is not None
    call.optional = call.optional and not isinstance(call.result, Listed)
    call.method.result = Member("result", "", call.result, call.optional).type


def _place(call: SoapCall, module: Module) -> None:
    """The method and path of a call: reading where its name says so and its arguments fit into an address."""
    words = snake_name(call.operation).split("_")
    simple = all(isinstance(a.shape, Plain) and a.shape.type not in ("Any", "bytes") for a in call.arguments)
    reads = words[0] in _READS and simple
    rest = words[1:] if len(words) > 1 and words[0] in (_READS if reads else _MAKES) else words
    path = "/" + "-".join(rest)
    if reads:
        call.method.verb = "get"
        call.method.decide.append(
            f"reading: a GET because its name begins with {words[0]}; make it a POST if it changes something"
        )
        needed = [a for a in call.arguments if not a.optional]
        if len(needed) == 1:
            path += "/{" + needed[0].name + "}"
    else:
        call.method.decide.append(_UNDO.format(name=call.method.name))
    if any((m.verb, _shape(m.path)) == (call.method.verb, _shape(path)) for m in module.methods):
        path = "/" + "-".join(words)
    call.method.path = path
    module.methods.append(call.method)


def _shape(path: str) -> str:
    return re.sub(r"\{[^}]*\}", "{}", path)


def _has_headers(message: Any) -> bool:
    header = getattr(message, "header", None)
    kind = getattr(header, "type", None)
    return bool(getattr(kind, "_element", None))


def _doc(thing: Any) -> str:
    found = getattr(thing, "documentation", None)
    return " ".join(str(found).split()) if found else ""
