"""Assembly and binding, the in-process call, the ASGI server, the HTTP client, configuration."""

from levada.app.app import App
from levada.app.assembly import Away, Local, Plan
from levada.app.binding import Remote
from levada.app.context import Caller, Context, current
from levada.app.errors import AssemblyError, ConfigurationError, NoStore, NotRunning
from levada.app.protect import Protect
from levada.app.records import CallRecord, Recorder
from levada.app.runtime import Runtime
from levada.app.settings import Settings

__all__ = [
    "App",
    "AssemblyError",
    "Away",
    "CallRecord",
    "Caller",
    "ConfigurationError",
    "Context",
    "Local",
    "NoStore",
    "NotRunning",
    "Plan",
    "Protect",
    "Recorder",
    "Remote",
    "Runtime",
    "Settings",
    "current",
]
