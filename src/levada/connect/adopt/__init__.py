"""Contracts, adapters, fakes and tests from what a system says of itself."""

from __future__ import annotations

from levada.connect.adopt._fetch import Place, shown
from levada.connect.adopt._kinds import adopt
from levada.connect.adopt._package import Adopted, Decision
from levada.connect.adopt._wishes import Wishes
from levada.connect.adopt.errors import NotAdopted, NotFetched

__all__ = ["Adopted", "Decision", "NotAdopted", "NotFetched", "Place", "Wishes", "adopt", "shown"]
