"""Personal data at rest: sealed with a key of its subject, who can be exported and forgotten."""

from levada.deployment.personal._app import Personal, personal_parts
from levada.deployment.personal._configured import masters_of
from levada.deployment.personal._master import Masters
from levada.deployment.personal._vault import Vault

__all__ = ["Masters", "Personal", "Vault", "masters_of", "personal_parts"]
