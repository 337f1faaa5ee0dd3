"""The suites that every implementation of a protocol passes; third parties run them for theirs."""

from levada.testing._conformance_connector import ConnectorConformance, ConnectorRig
from levada.testing._conformance_store import StoreConformance

__all__ = ["ConnectorConformance", "ConnectorRig", "StoreConformance"]
