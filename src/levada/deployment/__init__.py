"""One deployment: configuration, and an app with its store, events and runs."""

from levada.deployment.configuration import Configuration, load_configuration
from levada.deployment.runtime import RuntimeSettings, StoreRuntime

__all__ = ["Configuration", "RuntimeSettings", "StoreRuntime", "load_configuration"]
