"""Builds the app of a configuration with its store, resources and runtime."""

from __future__ import annotations

import logging
import traceback
from pathlib import Path
from typing import Any

from levada._errors import LevadaError
from levada.app import App, Caller, ConfigurationError, Settings
from levada.app.secrets import resolve
from levada.connect import open_resource
from levada.deployment.configuration import Configuration, identity_secret, implementations_in
from levada.deployment.personal import Personal, masters_of, personal_parts
from levada.deployment.runtime import RuntimeSettings, StoreRuntime
from levada.store import Store, open_store

log = logging.getLogger("levada.deployment")

__all__ = ["build_app", "open_deployment", "personal_of", "place_of", "settings_of", "store_url"]


def build_app(configuration: Configuration) -> App:
    """Assemble the app of a configuration; nothing is started and nothing is connected.

    Args:
        configuration: What ``levada.toml`` says.

    Raises:
        ModelError: The parts do not fit.
        ConfigurationError: A module, binding or resource is not as stated.
    """
    section = configuration.app
    parts = _imported(section.modules, Path(configuration.folder).resolve())
    if not parts:
        named = ", ".join(section.modules) or "none"
        raise ConfigurationError(
            place="[app] modules",
            reason=f"no implementation of an API is in them (stated: {named})",
            mend='Name the package of your adapters and processes: modules = ["acme.sales"]',
        )
    resources = {
        name: _resource(name, settings, configuration) for name, settings in configuration.resources.items()
    }
    return App(
        *_chosen(parts, configuration),
        bind=configuration.bind,
        resources=resources,
        settings=settings_of(configuration),
    )


def _imported(modules: list[str], folder: Path) -> list[Any]:
    """The implementations in modules; what their own code raises names its file and line."""
    try:
        return implementations_in(modules, folder)
    except LevadaError:
        raise
    except SyntaxError as error:
        place, reason = f"{error.filename}, line {error.lineno}", f"{type(error).__name__}: {error.msg}"
        mend = "Mend it, then start again"
    except Exception as error:
        last = traceback.extract_tb(error.__traceback__)[-1]
        place, reason = f"{last.filename}, line {last.lineno}", f"{type(error).__name__}: {error}"
        absent = isinstance(error, ModuleNotFoundError)
        mend = "Install what has it, or correct the name" if absent else "Mend it, then start again"
    raise ConfigurationError(place=place, reason=f"it cannot be imported, {reason}", mend=mend)


def settings_of(configuration: Configuration) -> Settings:
    """The app's settings of a configuration."""
    server = configuration.server
    environment = configuration.app.environment
    anonymous = (
        Caller(scopes=frozenset(server.anonymous_scopes), environment=environment)
        if server.anonymous
        else None
    )
    return Settings(
        environment=environment,
        deadline=server.deadline,
        body_limit=server.body_limit,
        anonymous=anonymous,
        identity=identity_secret(configuration),
        drain=server.drain,
        plans={name: plan.scopes for name, plan in configuration.plans.items()},
    )


def _chosen(parts: list[Any], configuration: Configuration) -> list[Any]:
    """Leave out what a binding replaces: of several adapters of one contract, those that are not chosen."""
    kept: list[Any] = []
    for part in parts:
        bound = configuration.bind.get(part.__contract__.id)
        if bound is None or (
            isinstance(bound, str)
            and bound.rpartition(":")[2] == part.__name__
            and _module_of(bound) == part.__module__
        ):
            kept.append(part)
    return kept


def _module_of(bound: str) -> str:
    return bound.rpartition(":")[0]


def _resource(name: str, settings: dict[str, Any], configuration: Configuration) -> Any:
    resource = open_resource(name, settings)
    if hasattr(resource, "forbidden_urls"):
        resource.forbidden_urls.add(store_url(configuration))  # type: ignore[attr-defined]
    return resource


def store_url(configuration: Configuration) -> str:
    """The URL of the store, with its path beside ``levada.toml`` and its reference resolved."""
    url = configuration.store.url
    if url.startswith(("env:", "file:")):
        url = resolve(url, "[store] url")
    scheme, _, rest = url.partition(":")
    if scheme == "sqlite" and rest and not rest.startswith((":memory:", "/")):
        return f"sqlite:{configuration.path(rest)}"
    return url


def store_file(url: str) -> Path | None:
    """The file of an embedded store's URL; None where there is none."""
    scheme, _, rest = url.partition(":")
    path = rest.partition("?")[0].removeprefix("//")
    return Path(path) if scheme == "sqlite" and path and not path.startswith(":memory:") else None


def place_of(configuration: Configuration) -> str:
    """Where the store is, without a password."""
    from levada.store.postgres import place_of as without_password

    url = store_url(configuration)
    return without_password(url) if "://" in url else url


def personal_of(configuration: Configuration, app: App, store: Store) -> Personal | None:
    """What opens the personal data of a deployment; None: its secret is not at hand, and all stays closed."""
    try:
        return Personal(app, store, masters_of(configuration, store_url(configuration)))
    except LevadaError as error:
        log.warning("personal_closed", extra={"code": error.code, "reason": error.message})
        return None


async def open_deployment(
    configuration: Configuration,
    *,
    store: Store | None = None,
    settings: RuntimeSettings | None = None,
) -> tuple[App, StoreRuntime]:
    """The app with its store open, ready to be started. The runtime closes a store that was opened here."""
    app = build_app(configuration)
    owns = store is None
    url = store_url(configuration)
    masters = masters_of(configuration, url) if personal_parts(app) else None
    opened = store or await open_store(url)
    return app, StoreRuntime(app, opened, settings, owns=owns, masters=masters)
