"""What a deployment publishes: its contracts, and the events of its ports."""

from __future__ import annotations

from levada.app import App
from levada.catalog.describe import stand_in
from levada.contract import EventType
from levada.contract.compatibility import Baseline, baseline_of
from levada.deployment.configuration import Configuration

__all__ = ["published", "published_by"]


def published(configuration: Configuration) -> Baseline:
    """What the deployment of a configuration publishes. Nothing is started, and no secret is read.

    Raises:
        ModelError: The parts do not fit.
        ConfigurationError: A module or a binding is not as stated.
    """
    return published_by(stand_in(configuration))


def published_by(app: App) -> Baseline:
    """What an app publishes: the contracts that it keeps and the events that its ports publish."""
    events: dict[str, EventType] = {}
    for local in app.plan.locals:
        for kind in local.implementation.publishes.values():
            events[kind.topic] = kind
    return baseline_of((local.contract for local in app.plan.locals), events.values())
