"""The package of an API with an OpenAPI document: contract, fake and test; a binding leads to the service."""

from __future__ import annotations

import re
from typing import Any
from urllib.parse import urljoin, urlsplit

from levada.connect.adopt._documents import bundled
from levada.connect.adopt._fetch import Place
from levada.connect.adopt._package import Adopted, Package, package_name, toml
from levada.connect.adopt._wishes import Wishes
from levada.connect.adopt.errors import NotAdopted
from levada.contract._generate.fake import fake_of
from levada.contract._generate.model import Module, snake_name
from levada.contract._generate.read import read

__all__ = ["adopt_document", "adopt_openapi"]

_EFFECT = 'effect: if the service honours Idempotency-Key, say effect = "passes_key" in its binding'
_RECORDED = (
    "recorded: only what was seen is known; ask the owner which paths, members and answers there are besides"
)
_AUTH = {"bearer": "bearer:env:{}_TOKEN", "api-key": "api-key:env:{}_KEY", "oauth2": "oauth2:env:{}"}


def adopt_openapi(place: Place, document: dict[str, Any], wishes: Wishes) -> Adopted:
    """Contract, fake and test of the service that an OpenAPI document describes.

    Raises:
        NotFetched: A document that it refers to cannot be read.
        NotOpenApi: It is another version of OpenAPI.
        NotAdopted: No operation of it can be carried over.
    """
    return adopt_document(place, bundled(place, document), wishes)


def adopt_document(
    place: Place, document: dict[str, Any], wishes: Wishes, *, recorded: list[str] | None = None
) -> Adopted:
    """As :func:`adopt_openapi`, of a document that is whole; ``recorded``: it was made of a recording, with these notes."""
    module = read(document, name=wishes.name, domain=wishes.domain)
    if recorded is not None:
        module.notes += recorded
        module.decide.append(_RECORDED)
    if not module.methods:
        raise NotAdopted(
            place=place.shown,
            reason=f"no operation can be carried over: {'; '.join(module.notes[:20]) or 'it has none'}",
            mend="Give another document",
        )
    if any(m.verb != "get" for m in module.methods) and (effect := _undecided(document)) is not None:
        module.decide.append(effect)
    package = Package(module, package_name(wishes.package, module), place.shown, fake=fake_of(module))
    package.test(f"{module.name} by its fake; no server is needed.", [], {})
    return package.adopted(_settings(place, document, module))


def _undecided(document: dict[str, Any]) -> str | None:
    """The question whether a repeat is recognised, where the document does not say so of each POST and PATCH; others may be repeated."""
    asked, takes = [], False
    for path, item in _tables(document.get("paths")):
        for verb, operation in _tables(item):
            named = _names_key((item.get("parameters"), operation.get("parameters")), document)
            takes |= named
            if verb in ("post", "patch") and not named:
                asked.append(f"{verb.upper()} {path}")
    if not takes:
        return _EFFECT
    if not asked:
        return None
    more = ", …" if len(asked) > 3 else ""
    return f"{_EFFECT}; only some operations say so: not {', '.join(asked[:3])}{more}"


def _names_key(parameters: Any, document: dict[str, Any]) -> bool:
    shared = document.get("components")
    known: Any = shared.get("parameters") if isinstance(shared, dict) else None
    referred = [
        component
        for name, component in _tables(known)
        if f"#/components/parameters/{name}'" in repr(parameters)
    ]
    return re.search(r"idempotency-key", repr((parameters, referred)), re.IGNORECASE) is not None


def _tables(value: Any) -> list[tuple[str, dict[str, Any]]]:
    found: Any = value.items() if isinstance(value, dict) else ()
    return [(str(name), each) for name, each in found if isinstance(each, dict)]


def _settings(place: Place, document: dict[str, Any], module: Module) -> str:
    """The binding of the contract; whoever calls it through this gets the service."""
    address = urlsplit(_server(place, document))
    url = f"{address.scheme}://{address.netloc.rpartition('@')[2]}" if address.netloc else "https://…"
    words = [f"url = {toml(url)}", f"path = {toml(address.path.rstrip('/'))}"]
    kind = _auth(document, module)
    if kind is not None:
        words.append(f"auth = {toml(_AUTH[kind].format(snake_name(module.name).upper()))}")
    words.append(f'effect = "{"passes_key" if _undecided(document) is None else "at_least_once"}"')
    contract = f"{module.domain}/{module.name}/v{module.version.partition('.')[0]}"
    return f"[bind]\n{toml(contract)} = {{ {', '.join(words)} }}"


def _server(place: Place, document: dict[str, Any]) -> str:
    servers = document.get("servers")
    first: Any = servers[0] if isinstance(servers, list) and servers else {}
    url = str(first.get("url", "")) if isinstance(first, dict) else ""
    variables: Any = first.get("variables") if isinstance(first, dict) else None
    for name, variable in variables.items() if isinstance(variables, dict) else ():
        if isinstance(variable, dict):
            url = url.replace("{" + str(name) + "}", str(variable.get("default", "")))
    return urljoin(place.root, url) if place.is_url else url


def _auth(document: dict[str, Any], module: Module) -> str | None:
    """The first way to prove oneself that a binding knows; others are told."""
    schemes: Any = document.get("components", {})
    schemes = schemes.get("securitySchemes") if isinstance(schemes, dict) else {}
    known: list[str] = []
    for name, scheme in schemes.items() if isinstance(schemes, dict) else ():
        kind = scheme if isinstance(scheme, dict) else {}
        match (kind.get("type"), str(kind.get("scheme", kind.get("in", ""))).lower()):
            case ("http", "bearer"):
                known.append("bearer")
            case ("apiKey", "header") if str(kind.get("name", "")).lower() == "x-api-key":
                known.append("api-key")
            case ("oauth2", _) if "clientCredentials" in (kind.get("flows") or {}):
                known.append("oauth2")
            case _:
                module.notes.append(f"the security scheme {name}: a binding has no such credential")
    return known[0] if known else None
