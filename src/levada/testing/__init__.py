"""The test kit: fakes from contracts, a network with virtual time, crashes at every boundary.

Public: third parties test their domains with it. Heavy parts (servers, conformance
suites) are imported from their own modules.
"""

from levada.testing._network import Call, Network, at_every_crash, network
from levada.testing.fakes import Fake, fake

__all__ = ["Call", "Fake", "Network", "at_every_crash", "fake", "network"]
