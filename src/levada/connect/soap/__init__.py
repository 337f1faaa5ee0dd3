"""SOAP services: ``Soap``."""

from __future__ import annotations

from levada.connect.soap._client import Soap, SoapSettings, from_settings

__all__ = ["Soap", "SoapSettings", "from_settings"]
