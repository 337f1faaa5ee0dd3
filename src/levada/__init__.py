"""Levada: a layered network of APIs and events in place of point-to-point integrations.

This is what a user writes with; everything else lies behind the names of its duties.
"""

from __future__ import annotations

__version__ = "0.1.0"

TYPE_CHECKING = False
"""As checkers read it; importing ``typing`` takes longer than all else that the command line does before Ctrl-C counts."""

if TYPE_CHECKING:
    from typing import Any

    from levada.app import App, Caller, Protect, Remote, Settings, current
    from levada.channel import Agent, Mobile, Partner
    from levada.contract import (
        FORGOTTEN,
        Awaits,
        Event,
        ExperienceAPI,
        OrderKey,
        Page,
        Personal,
        Problem,
        ProcessAPI,
        Publishes,
        SystemAPI,
        blocking,
        coalesced,
        effect,
        handles,
        http,
        named,
        resource,
        undoes,
        upcaster,
    )
    from levada.process import run

_WHERE = {
    "FORGOTTEN": "levada.contract",
    "Agent": "levada.channel",
    "App": "levada.app",
    "Awaits": "levada.contract",
    "Caller": "levada.app",
    "Event": "levada.contract",
    "ExperienceAPI": "levada.contract",
    "Mobile": "levada.channel",
    "OrderKey": "levada.contract",
    "Page": "levada.contract",
    "Partner": "levada.channel",
    "Personal": "levada.contract",
    "Problem": "levada.contract",
    "ProcessAPI": "levada.contract",
    "Protect": "levada.app",
    "Publishes": "levada.contract",
    "Remote": "levada.app",
    "Settings": "levada.app",
    "SystemAPI": "levada.contract",
    "blocking": "levada.contract",
    "coalesced": "levada.contract",
    "current": "levada.app",
    "effect": "levada.contract",
    "handles": "levada.contract",
    "http": "levada.contract",
    "named": "levada.contract",
    "resource": "levada.contract",
    "run": "levada.process",
    "undoes": "levada.contract",
    "upcaster": "levada.contract",
}

__all__ = [
    "FORGOTTEN",
    "Agent",
    "App",
    "Awaits",
    "Caller",
    "Event",
    "ExperienceAPI",
    "Mobile",
    "OrderKey",
    "Page",
    "Partner",
    "Personal",
    "Problem",
    "ProcessAPI",
    "Protect",
    "Publishes",
    "Remote",
    "Settings",
    "SystemAPI",
    "blocking",
    "coalesced",
    "current",
    "effect",
    "handles",
    "http",
    "named",
    "resource",
    "run",
    "undoes",
    "upcaster",
]


def __getattr__(name: str) -> Any:
    """Import a name when it is first asked for, so that the command line starts at once."""
    import importlib

    module = _WHERE.get(name)
    if module is None:
        raise AttributeError(f"module 'levada' has no attribute {name!r}")
    if name in ("effect", "http", "run"):
        value: Any = importlib.import_module(f"{module}.{name}")
    else:
        value = getattr(importlib.import_module(module), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return [*__all__, "__version__"]
