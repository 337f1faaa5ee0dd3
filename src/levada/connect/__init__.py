"""Resources that adapters use: SQL, SOAP, files and SFTP, HTTP."""

from __future__ import annotations

from levada.connect.errors import ConnectError, OutcomeUnknown, RemoteFault, Unavailable
from levada.connect.resource import Health, Resource, open_resource
from levada.connect.secrets import Secret

__all__ = [
    "ConnectError",
    "Health",
    "OutcomeUnknown",
    "RemoteFault",
    "Resource",
    "Secret",
    "Unavailable",
    "open_resource",
]
