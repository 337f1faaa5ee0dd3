"""What stands behind a contract: a class in this process, or an address."""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from typing import Any, Literal, TypeAlias

import msgspec
from msgspec import Struct, field

from levada.app.errors import ConfigurationError
from levada.contract.api import API

__all__ = ["Bind", "Remote", "load", "to_binding"]


class Remote(Struct, frozen=True, forbid_unknown_fields=True):
    """A contract that is kept elsewhere.

    ``url``: where its API begins (without the contract's own path), or ``unix:PATH``.
    ``auth``: a credential reference: ``identity`` (a token signed with ``[identity] secret``, which both sides
    have to share; the default where that is stated), ``bearer:env:NAME``, ``api-key:env:NAME``,
    ``oauth2:env:PREFIX`` (PREFIX_TOKEN_URL, PREFIX_CLIENT_ID, PREFIX_CLIENT_SECRET), or ``none``.
    ``path``: replaces the contract's path, for a service not written with Levada.
    ``effect``: whether the service honours ``Idempotency-Key`` (``passes_key``, as every service
    of Levada's does) or not (``at_least_once``: a run stops where an outcome is not known). To be
    stated with ``path``, where the contract has operations that change something.
    ``timeout``: seconds for one attempt, default 10. ``connections``: at most, default 100.
    ``retries``: attempts after the first, where a repeat is safe, default 2. ``headers``: sent with each request; no secrets.
    """

    url: str
    auth: str | None = None
    path: str | None = None
    timeout: float = 10.0
    connections: int = 100
    retries: int = 2
    effect: Literal["passes_key", "at_least_once"] | None = None
    headers: dict[str, str] = field(default_factory=dict)


Bind: TypeAlias = "type[API] | API | Remote | str | Mapping[str, Any]"
"""A class or instance, ``"module:Class"``, a URL, or a table with ``url``."""


def load(path: str, place: str) -> type[API]:
    """The class of ``"package.module:Class"``.

    Raises:
        ConfigurationError: There is none.
    """
    module_name, _, name = path.partition(":")
    try:
        module = importlib.import_module(module_name)
    except ModuleNotFoundError as error:
        raise ConfigurationError(
            place=place,
            reason=f"there is no module {error.name}",
            mend="Check the name, and that the package is installed or in the folder of levada.toml",
        ) from None
    found = getattr(module, name, None)
    if not (isinstance(found, type) and issubclass(found, API)):
        raise ConfigurationError(
            place=place,
            reason=f"{module_name} has no API class {name!r}",
            mend='Write "package.module:Class"',
        )
    return found


def to_binding(value: Bind, place: str) -> type[API] | API | Remote:
    """A binding in one of its three forms.

    Raises:
        ConfigurationError: It is none.
    """
    if isinstance(value, (Remote, API)) or (isinstance(value, type) and issubclass(value, API)):
        return value
    if isinstance(value, str):
        if value.startswith(("http://", "https://", "unix:")):
            return Remote(url=value.rstrip("/"))
        if "://" in value:
            raise _no_url(value, place)
        if ":" in value:
            return load(value, place)
        raise ConfigurationError(
            place=place,
            reason=f"{value!r} is no binding",
            mend='Write a URL, "module:Class", or { url = "…" }',
        )
    if isinstance(value, Mapping):
        try:
            remote = msgspec.convert(dict(value), Remote)
        except msgspec.ValidationError as error:
            raise ConfigurationError(
                place=place, reason=str(error), mend='Write { url = "https://…", auth = "…" }'
            ) from None
        if not remote.url.startswith(("http://", "https://", "unix:")):
            raise _no_url(remote.url, place)
        return msgspec.structs.replace(remote, url=remote.url.rstrip("/"))
    raise ConfigurationError(
        place=place, reason=f"{value!r} is no binding", mend='Write a URL, "module:Class", or { url = "…" }'
    )


def _no_url(value: str, place: str) -> ConfigurationError:
    return ConfigurationError(
        place=place, reason=f"{value!r} is no URL", mend="Begin with https://, http:// or unix:"
    )
