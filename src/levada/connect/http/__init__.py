"""HTTP services that are not APIs of the network: ``Http``."""

from __future__ import annotations

from levada.connect.http._client import Http, from_settings
from levada.connect.http._settings import HttpSettings

__all__ = ["Http", "HttpSettings", "from_settings"]
