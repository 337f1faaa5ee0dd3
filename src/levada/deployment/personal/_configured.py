"""The master secrets that ``levada.toml`` names."""

from __future__ import annotations

import secrets
from collections.abc import Callable
from pathlib import Path

from levada.app.secrets import made_secret, resolve
from levada.deployment.configuration import Configuration
from levada.deployment.personal._master import Masters

__all__ = ["masters_of"]


def masters_of(configuration: Configuration, store_url: str) -> Masters | None:
    """The master secrets of a deployment; None: none is named, and none may be made here.

    A SQLite store in the environment ``development`` gets one in a file of mode 0600 beside it.

    Raises:
        ConfigurationError, MasterMissing: A secret is named, and cannot be had or is too short.
    """
    section = configuration.personal
    former = [_referred(name, configuration, f"[personal] former {name}") for name in section.former]
    if section.master is not None:
        return Masters(_referred(section.master, configuration, "[personal] master"), former)
    if configuration.app.environment != "development" or not store_url.startswith("sqlite:"):
        return None
    path = store_url.removeprefix("sqlite:").removeprefix("//").partition("?")[0]
    if path == ":memory:":
        made = secrets.token_bytes(32)
        return Masters(lambda: made, former)
    return Masters(lambda: made_secret(Path(f"{path}.master")), former)


def _referred(reference: str, configuration: Configuration, place: str) -> Callable[[], bytes]:
    def read() -> bytes:
        scheme, _, name = reference.partition(":")
        # As everywhere in the file, a relative path begins at its folder.
        named = f"file:{configuration.path(name)}" if scheme == "file" else reference
        return resolve(named, place).encode()

    return read
