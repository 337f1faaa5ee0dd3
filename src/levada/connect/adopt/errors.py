"""What is said when a description of a system cannot be read or made into a contract."""

from __future__ import annotations

from levada.contract.errors import ModelError

__all__ = ["NotAdopted", "NotFetched"]


class NotFetched(ModelError, code="LV1630"):
    """{place}: {reason} {mend}

    A description could not be fetched: not there, too slow, too large, or from a place that it may not come from.
    """


class NotAdopted(ModelError, code="LV1631"):
    """{place}: {reason} {mend}

    What was read describes nothing that a contract can be made of.
    """
