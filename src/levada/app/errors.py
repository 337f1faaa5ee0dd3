"""What is said when an app cannot be assembled or configured."""

from __future__ import annotations

from levada._errors import LevadaError
from levada.contract.errors import ModelError

__all__ = ["AssemblyError", "ConfigurationError", "NoStore", "NotRunning"]


class AssemblyError(ModelError, code="LV1201"):
    """{place}: {reason} {mend}

    The parts do not make one network: a dependency without a binding or with two, a circle, an unsafe
    operation without an effect, a step of a run that nothing undoes.
    """


class ConfigurationError(ModelError, code="LV1202"):
    """{place}: {reason} {mend}

    ``levada.toml``, an environment's overlay or a reference to a secret is not as it has to be.
    """


class NoStore(LevadaError, code="LV1203"):
    """{what} needs a store, and this app has none. State [store] url in levada.toml, or attach a runtime."""


class NotRunning(LevadaError, code="LV1204"):
    """The app is not running. Use `async with app:` or await app.start() first."""
