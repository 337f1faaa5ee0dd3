"""Envoy as the gateway: four files, replaced by rename; no control plane."""

from levada.gateway.envoy.render import render
from levada.gateway.envoy.write import write_files

__all__ = ["render", "write_files"]
