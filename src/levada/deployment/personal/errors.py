"""What is said when personal data cannot be sealed or opened."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from levada._errors import LevadaError

if TYPE_CHECKING:
    from levada.deployment.personal._vault import DataKey

__all__ = [
    "CryptoMissing",
    "MasterMissing",
    "MasterUnknown",
    "PersonalUnprotected",
    "SealedWrongly",
    "SubjectBusy",
    "SubjectForgotten",
    "SubjectMissing",
    "SubjectUnknown",
]


class PersonalUnprotected(LevadaError, code="LV1211"):
    """{names} carry personal data, and there is no master secret to encrypt it under. Write [personal] master = "env:NAME" or "file:PATH" into levada.toml; a file beside the store is made only for a SQLite store in the environment development."""


class CryptoMissing(LevadaError, code="LV1212"):
    """{names} carry personal data, which is encrypted at rest with the package cryptography. Install it: pip install "levada[crypto]"."""


class MasterMissing(LevadaError, code="LV1213"):
    """The master secret for personal data cannot be used: {reason} Give at least 32 characters, made for example by `openssl rand -base64 32`."""


class MasterUnknown(LevadaError, code="LV1214"):
    """{keys} keys of subjects lie under a master secret that is not at hand (its mark is {mark}). Name it in [personal] former, then run `levada subjects rewrap`."""


class SubjectMissing(LevadaError, code="LV1215"):
    """{what} has personal data but does not say whose: {kind} is empty. Nothing was stored; data of nobody could never be forgotten."""


class SealedWrongly(LevadaError, code="LV1216"):
    """{what} was not sealed here as it stands: its key {key} does not open it. It was altered, moved from another record, or its key was lost."""


class SubjectForgotten(LevadaError, code="LV1217"):
    """What was kept here told of a subject that was forgotten on {at}, and can never be read again. A run that needs it is over: skip it with the reason, and undo by hand what has to be undone."""

    @classmethod
    def of(cls, keys: Sequence[DataKey]) -> SubjectForgotten:
        """From the keys of what cannot be read."""
        at = max(key.forgotten or 0 for key in keys)
        return cls(at=datetime.fromtimestamp(at / 1e6, UTC).date().isoformat())


class SubjectUnknown(LevadaError, code="LV1218"):
    """There is no personal data of {subject} here. Known are, for this name: {known}. Write KIND=SUBJECT, as in customer_id=c-17."""


class SubjectBusy(LevadaError, code="LV1219"):
    """{subject} still has {count} open runs ({runs}), which would never go on. Let them end, skip or compensate them; or forget all the same with --despite-runs, which leaves them stuck."""
