"""What every connector is: a resource with a name, a beginning, an end and a state of health."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from importlib import import_module
from typing import Any, Final, Protocol, runtime_checkable

import msgspec
from msgspec import Struct

from levada.connect.errors import SettingsError
from levada.connect.secrets import Secret, has_password, is_reference

__all__ = ["Health", "Resource", "open_resource"]


class Health(Struct, frozen=True):
    """How a resource is.

    ``ok``: whether it can be used now. ``seconds``: how long the check took. ``detail``: why
    not, without secrets. ``facts``: figures such as free and used connections.
    """

    name: str
    kind: str
    ok: bool
    seconds: float
    detail: str = ""
    facts: Mapping[str, int | float | str] = {}


@runtime_checkable
class Resource(Protocol):
    """Something outside that adapters use. Methods may be called concurrently from one event loop."""

    @property
    def name(self) -> str:
        """Its name in ``levada.toml``."""
        ...

    async def start(self) -> None:
        """Make ready; does not wait for the system to be up. Calling it twice is fine."""
        ...

    async def stop(self) -> None:
        """Finish what is under way and let go of everything. Calling it twice is fine."""
        ...

    async def health(self) -> Health:
        """Ask the system; never raises because of it, and takes at most a few seconds."""
        ...


_KINDS: Final[Mapping[str, str]] = {
    "sql": "levada.connect.sql",
    "soap": "levada.connect.soap",
    "files": "levada.connect.files",
    "http": "levada.connect.http",
}
_BY_SCHEME: Final[Mapping[str, str]] = {"http": "http", "https": "http", "sftp": "files", "folder": "files"}
_SQL: Final = frozenset(
    {"postgresql", "postgres", "sqlite", "mysql", "mariadb", "oracle", "mssql", "db2", "hana"}
)


def open_resource(name: str, settings: Mapping[str, Any]) -> Resource:
    """The resource that ``[resources.{name}]`` describes, not yet started.

    ``url`` tells what it is by its scheme: ``postgresql``, ``sqlite``, ``mysql`` and other
    dialects of SQLAlchemy; ``http(s)``; ``sftp``; ``folder:path``. ``kind`` (``sql``, ``soap``,
    ``files``, ``http``) says it outright, and has to for SOAP. ``url`` may be a reference
    (``env:ERP_URL``); the other settings are those of the kind's own settings struct.

    Raises:
        SettingsError: A setting is missing, unknown, of a wrong type, or a secret in clear.
        SecretMissing: The kind has to be read off a URL whose reference cannot be resolved.
        ExtraMissing: The kind needs an extra that is not installed.
    """
    given = dict(settings)
    url = given.get("url")
    if not isinstance(url, str) or not url:
        raise SettingsError(
            resource=name,
            reason="`url` is missing.",
            mend='Write url = "postgresql://…" or url = "env:NAME".',
        )
    if not is_reference(url) and has_password(url):
        raise SettingsError(
            resource=name,
            reason="`url` has a secret in clear.",
            mend='Write password = "env:NAME" beside it, or the whole as url = "env:NAME".',
        )
    kind = given.pop("kind", None) or _kind_of(name, url)
    if kind not in _KINDS:
        raise SettingsError(
            resource=name, reason=f"kind {kind!r} is not known.", mend=f"Choose {', '.join(_KINDS)}."
        )
    make: Callable[[str, Mapping[str, Any]], Resource] = import_module(_KINDS[kind]).from_settings
    return make(name, given)


def settings_of(name: str, kind: type[Any], given: Mapping[str, Any]) -> Any:
    """``given`` as the settings struct ``kind``; unknown and ill-typed settings are refused by name."""
    known = {field.name for field in msgspec.structs.fields(kind)}
    unknown = sorted(set(given) - known)
    if unknown:
        raise SettingsError(
            resource=name,
            reason=f"{', '.join(unknown)} is not a setting.",
            mend=f"Known: {', '.join(sorted(known))}.",
        )
    for field in ("password", "secret", "token", "key"):
        value = given.get(field)
        if isinstance(value, str) and not is_reference(value):
            raise SettingsError(
                resource=name,
                reason=f"`{field}` is a secret in clear.",
                mend=f'Write {field} = "env:NAME" or "file:path".',
            )
    try:
        return msgspec.convert(dict(given), kind, strict=True)
    except msgspec.ValidationError as error:
        # The message names types and the path, never the value.
        raise SettingsError(
            resource=name, reason=f"{error}.", mend="See the reference of the settings."
        ) from None


def _kind_of(name: str, url: str) -> str:
    value = Secret(url).reveal()
    scheme = value.partition(":")[0].partition("+")[0].lower()
    if scheme in _SQL:
        return "sql"
    found = _BY_SCHEME.get(scheme)
    if found is None:
        raise SettingsError(
            resource=name,
            reason="the kind cannot be told from the scheme of its `url`.",
            mend=f"Add kind = one of {', '.join(_KINDS)}.",
        )
    return found
