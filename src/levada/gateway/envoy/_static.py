"""The four files as one bootstrap without discovery, for Envoy's offline check."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

__all__ = ["static_bootstrap"]


def static_bootstrap(files: Mapping[str, bytes], folder: str) -> bytes:
    """A bootstrap whose ``static_resources`` are what the files would bring."""
    bootstrap: Any = msgspec.json.decode(files["bootstrap.json"])
    bootstrap.pop("dynamic_resources")
    bootstrap["admin"] = {"address": {"pipe": {"path": f"{folder}/admin.sock"}}}
    listeners = _resources(files, "lds.json")
    routes = _resources(files, "rds.json")[0]
    routes.pop("@type")
    keys = _resources(files, "ecds.json")[0]["typed_config"]
    for listener in listeners:
        listener.pop("@type")
        for chain in listener["filter_chains"]:
            for network in chain["filters"]:
                manager = network["typed_config"]
                manager.pop("rds")
                for log in manager["access_log"]:
                    # Envoy opens it even to check; where it will run there may be no such folder here.
                    log["typed_config"]["path"] = f"{folder}/access.log"
                manager["route_config"] = routes
                for http in manager["http_filters"]:
                    if http.pop("config_discovery", None):
                        http["typed_config"] = keys
    clusters = _resources(files, "cds.json")
    for cluster in clusters:
        cluster.pop("@type")
    bootstrap["static_resources"] = {"listeners": listeners, "clusters": clusters}
    return msgspec.json.encode(bootstrap)


def _resources(files: Mapping[str, bytes], name: str) -> list[Any]:
    return list(msgspec.json.decode(files[name])["resources"])
