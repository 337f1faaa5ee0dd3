"""``levada.toml``: one deployment; ``levada.<env>.toml`` beside it overlays one environment."""

from __future__ import annotations

import difflib
import importlib
import pkgutil
import sys
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal, TypeAlias, cast

import msgspec
from msgspec import Meta, Struct, field

from levada.app.errors import ConfigurationError
from levada.app.secrets import resolve
from levada.contract.api import API, is_contract
from levada.deployment._relative import placed
from levada.deployment.purge import RetentionSection

__all__ = [
    "AppSection",
    "Configuration",
    "EventLogSection",
    "GatewaySection",
    "IdentitySection",
    "PersonalSection",
    "PlanSection",
    "ServerSection",
    "StoreSection",
    "implementations_in",
    "load_configuration",
]


Port: TypeAlias = Annotated[int, Meta(ge=0, le=65535)]
"""A port to listen on; 0 is a free one."""
Bytes: TypeAlias = Annotated[int, Meta(ge=1)]
SHORTEST = 32
"""Characters that a secret has at least."""


class AppSection(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """``[app]``: what is deployed.

    Attributes:
        modules: Packages or modules; every implementation in them (and below) becomes part of the app;
            fakes of the test kit do not.
        environment: The environment's name. Default ``development``; ``--env`` overrides it.
        owner: Who is called when it is broken.
    """

    modules: list[str] = field(default_factory=list)
    environment: str = "development"
    owner: str | None = None


class ServerSection(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """``[server]``: how the app listens and limits requests.

    Attributes:
        host: The address to listen on. Default 127.0.0.1: this machine alone.
        port: The port; 0: a free one. Default 8000.
        deadline: Seconds that a request may take where it states none. Default 30.
        body_limit: Bytes of a request's body. Default 1 MiB.
        drain: Seconds that a stop waits for requests in flight. Default 30.
        anonymous: Whether requests without a credential are taken, as a caller without scopes. Default true.
        anonymous_scopes: The scopes of such a caller; for development alone. Default none.
        workers: Processes that serve and work. Default 1.
        lease: Seconds after which the runs, subscriptions and outboxes of a process that gives no sign of life are
            taken over; at least 1. Default 5; longer where the machine halts processes for seconds.
    """

    host: str = "127.0.0.1"
    port: Port = 8000
    deadline: Annotated[float, Meta(gt=0)] = 30.0
    body_limit: Bytes = 1 << 20
    drain: Annotated[float, Meta(ge=0)] = 30.0
    anonymous: bool = True
    anonymous_scopes: list[str] = field(default_factory=list)
    workers: Annotated[int, Meta(ge=1)] = 1
    lease: Annotated[float, Meta(ge=1)] = 5.0


class StoreSection(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """``[store]``: where runs, journal and log are kept.

    Attributes:
        url: ``sqlite:PATH``, ``postgresql://…`` or ``env:NAME``. Default ``sqlite:levada.db``, relative to the file.
    """

    url: str = "sqlite:levada.db"


class EventLogSection(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """``[eventlog]``: where events are kept.

    Attributes:
        url: ``in-store``, the default: in the tables of the store. There is no other yet.
    """

    url: Literal["in-store"] = "in-store"


class IdentitySection(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """``[identity]``: how APIs of the network prove themselves to each other.

    Attributes:
        secret: A reference to the secret that their tokens are signed with, at least 32 characters, the same in every
            deployment of the network. Without it none are sent, and none are taken.
    """

    secret: str | None = None


class PersonalSection(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """``[personal]``: how personal data is encrypted where it is stored.

    Attributes:
        master: A reference to the master secret, at least 32 characters; it is read anew when keys are made, so
            a changed file is taken up. Default: for a SQLite store in the environment ``development`` one made
            beside the store, in ``STORE.master`` of mode 0600; everywhere else none, and an app with personal
            data is refused.
        former: References to former master secrets, until ``levada subjects rewrap`` has run. Default none.
    """

    master: str | None = None
    former: list[str] = field(default_factory=list)


class PlanSection(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """``[plans.NAME]``: limits and terms.

    Attributes:
        rate: Requests of one consumer. Default ``"600/min"``.
        scopes: What its consumers may do. Default none.
    """

    rate: str = "600/min"
    scopes: list[str] = field(default_factory=list)


class GatewaySection(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """``[gateway]``: the front door of ``levada up``.

    Attributes:
        host: The address to listen on. Default 127.0.0.1.
        port: The port; 0: a free one. Default 8080.
        body_limit: Bytes of a request's body. Default 1 MiB.
        dir: Where its files are. Default ``.levada/gateway`` beside ``levada.toml``.
        master: A reference to the secret that keys are sealed under; default: made at the first
            start, in a file of mode 0600.
    """

    host: str = "127.0.0.1"
    port: Port = 8080
    body_limit: Bytes = 1 << 20
    dir: str = ".levada/gateway"
    master: str | None = None


class Configuration(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """All of ``levada.toml``; each part has its default."""

    app: AppSection = AppSection()
    server: ServerSection = ServerSection()
    bind: dict[str, Any] = field(default_factory=dict)
    resources: dict[str, dict[str, Any]] = field(default_factory=dict)
    store: StoreSection = StoreSection()
    eventlog: EventLogSection = EventLogSection()
    identity: IdentitySection = IdentitySection()
    gateway: GatewaySection = GatewaySection()
    personal: PersonalSection = PersonalSection()
    plans: dict[str, PlanSection] = field(default_factory=dict)
    retention: RetentionSection = RetentionSection()
    roles: dict[str, list[str]] = field(default_factory=dict)
    """Who may do what: ``anna = ["operator@sales", "viewer"]``. Roles: viewer, developer, owner, operator, platform,
    auditor; ``role@domain``, or ``role`` for all domains. Default: nobody is named, and the user of the operating
    system that owns the store may do everything."""
    folder: str = "."
    """Where the file lies; relative paths in it begin there. Not to be stated."""

    def path(self, name: str) -> Path:
        """A path of the configuration, relative to its file."""
        return Path(self.folder) / name


def load_configuration(path: Path, environment: str | None = None) -> Configuration:
    """Read ``levada.toml`` with the overlay of an environment.

    Raises:
        ConfigurationError: Missing, no TOML, an unknown name or a wrong type; names the place.
    """
    if path.is_dir():
        path = path / "levada.toml"
    if not path.exists():
        raise ConfigurationError(
            place=str(path),
            reason="there is no such file",
            mend="Run this where levada.toml is, name it with --config, or begin with `levada new`",
        )
    data = _read(path)
    stated = environment or _environment(data, path)
    if stated and ("/" in stated or "\0" in stated):
        raise ConfigurationError(
            place=str(path), reason=f"{stated!r} is no name of an environment", mend="Name it without a slash"
        )
    overlay = path.with_name(f"{path.stem}.{stated}.toml") if stated else None
    if overlay is not None and overlay.exists():
        data = _merged(data, _read(overlay))
    elif environment is not None and environment != (_environment(data, path) or "development"):
        raise ConfigurationError(
            place=str(overlay),
            reason="there is no such file",
            mend=f"Write what differs in {environment} there; an empty file is fine",
        )
    if stated:
        data = _merged(data, {"app": {"environment": stated}})
    try:
        return msgspec.convert({**placed(data, path.parent), "folder": str(path.parent)}, Configuration)
    except msgspec.ValidationError as error:
        raise ConfigurationError(
            place=str(path), reason=_explained(str(error), data), mend="See docs/reference/configuration.md"
        ) from None


def _environment(data: Mapping[str, Any], path: Path) -> str | None:
    """The environment that the file states."""
    section: Any = data.get("app", {})
    stated: Any = cast("dict[str, Any]", section).get("environment") if isinstance(section, dict) else None
    if isinstance(section, dict) and isinstance(stated, str | None):
        return stated
    raise ConfigurationError(
        place=str(path), reason="[app] environment is no text", mend="See docs/reference/configuration.md"
    )


def _read(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text(encoding="utf-8-sig"))
    except OSError as error:
        raise ConfigurationError(
            place=str(path), reason=str(error.strerror), mend="Make it a file that this user may read"
        ) from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigurationError(
            place=str(path), reason=f"it is not TOML: {error}", mend="Mend the line"
        ) from None


def _merged(below: Mapping[str, Any], above: Mapping[str, Any]) -> dict[str, Any]:
    merged = dict(below)
    for key, value in above.items():
        old = merged.get(key)
        merged[key] = (
            _merged(old, value) if isinstance(old, Mapping) and isinstance(value, Mapping) else value
        )
    return merged


def _explained(text: str, data: Mapping[str, Any]) -> str:
    """The message, with the nearest known name where one is unknown."""
    marker = "unknown field `"
    if marker not in text:
        return text
    unknown = text.split(marker)[1].split("`")[0]
    known: list[str] = []
    for cls in (
        Configuration,
        AppSection,
        ServerSection,
        StoreSection,
        EventLogSection,
        IdentitySection,
        GatewaySection,
        PersonalSection,
        PlanSection,
        RetentionSection,
    ):
        known.extend(cls.__struct_fields__)
    near = difflib.get_close_matches(unknown, known, 1)
    del data
    return f"{text}{f'; did you mean {near[0]}?' if near else ''}"


def implementations_in(modules: list[str], folder: Path) -> list[type[API]]:
    """Every implementation in modules and the packages below them, in the order found.

    A contract in the one-class form counts; an abstract one does not, and neither does a fake that lies
    beside its adapter: it stands for a system where somebody names it, in a test or in ``[bind]``.

    Raises:
        ConfigurationError: A module cannot be imported.
    """
    if str(folder) not in sys.path:
        sys.path.insert(0, str(folder))
    if (here := str(Path.cwd())) not in sys.path:  # as `python -m levada` has it
        sys.path.append(here)
    found: dict[type[API], None] = {}
    for name in modules:
        for module in _modules(name):
            for value in vars(module).values():
                if (
                    isinstance(value, type)
                    and issubclass(value, API)
                    and value.__module__ == module.__name__
                    and _keeps(value)
                ):
                    found[value] = None
    return list(found)


def _keeps(cls: type[API]) -> bool:
    if getattr(cls, "__contract__", None) is None or cls.__name__.startswith("_"):
        return False
    if getattr(cls, "__levada_fake__", False):
        return False
    return cls.__contract__.concrete if is_contract(cls) else not getattr(cls, "__abstractmethods__", None)


def _modules(name: str) -> list[Any]:
    try:
        module = importlib.import_module(name)
    except ModuleNotFoundError as error:
        if not f"{name}.".startswith(f"{error.name}."):
            raise  # it is there, and imports something that is not
        raise ConfigurationError(
            place="[app] modules",
            reason=f"there is no module {error.name}",
            mend="Check the spelling; modules are looked for beside levada.toml and where the command is run, too",
        ) from None
    found = [module]
    for info in pkgutil.iter_modules(getattr(module, "__path__", ())):
        found.extend(_modules(f"{name}.{info.name}"))
    return found


def identity_secret(configuration: Configuration) -> str | None:
    """The secret of the network's tokens, resolved now.

    Raises:
        ConfigurationError: It cannot be had, or is so short that whoever has one token could find it out.
    """
    reference = configuration.identity.secret
    if reference is None:
        return None
    secret = resolve(reference, "[identity] secret")
    if len(secret) < SHORTEST:
        raise ConfigurationError(
            place="[identity] secret",
            reason=f"what stands behind {reference} has fewer than {SHORTEST} characters, and could be guessed from one token",
            mend="Make one: openssl rand -base64 32",
        )
    return secret
