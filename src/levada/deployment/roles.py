"""Who may do what through the admin API: roles by domain, and by environment through its overlay.

The table :data:`MAY` is the whole rule. Where ``[roles]`` names nobody, whoever reaches the
admin has the rights of the user of the operating system that the deployment runs as, who
could change the store's file itself.
"""

from __future__ import annotations

import getpass
from collections.abc import Mapping, Sequence

from msgspec import Struct

from levada._errors import LevadaError
from levada.app.errors import ConfigurationError

__all__ = ["MAY", "ROLES", "SECOND", "Grant", "RequestUnknown", "RoleMissing", "Roles", "SamePerson"]

ROLES = ("viewer", "developer", "owner", "operator", "platform", "auditor")

_ALL = frozenset(ROLES)
_WORK = frozenset({"operator", "platform"})
_OWN = frozenset({"owner", "platform"})
_LOOK = frozenset({"auditor", "owner", "operator", "platform"})
_CLEAR = frozenset({"owner", "operator", "platform"})

MAY: Mapping[str, frozenset[str]] = {
    **dict.fromkeys(
        (
            *(
                "runs.list",
                "runs.show",
                "runs.counts",
                "runs.forms",
                "runs.unclaimed",
                "events.topics",
                "events.tail",
            ),
            *("events.subscriptions", "events.parked", "events.explain", "calls.read", "gateway.status"),
            *("keys.list", "requests.list"),
        ),
        _ALL,
    ),
    **dict.fromkeys(("runs.show --reveal", "events.tail --reveal"), _CLEAR),
    **dict.fromkeys(("audit.list", "audit.verify"), _LOOK),
    **dict.fromkeys(("runs.resume", "runs.answer", "runs.compensate", "runs.skip"), _WORK),
    **dict.fromkeys(
        ("events.resume", "events.skip", "events.pause", "events.continue", "events.replay"), _WORK
    ),
    **dict.fromkeys(("keys.create", "keys.rotate", "keys.revoke"), _OWN),
    **dict.fromkeys(("subjects.export", "subjects.forget"), _OWN),
    **dict.fromkeys(
        ("subjects.rewrap", "db.backup", "db.restore", "db.purge", "db.purgeable"), frozenset({"platform"})
    ),
    **dict.fromkeys(("requests.approve", "requests.refuse"), _CLEAR),
}
"""Who may do each action. Outside production a developer may do what an operator may."""

SECOND = frozenset({"runs.skip", "events.skip", "subjects.forget"})
"""What loses something for good: in production another person than the one who asks has to approve."""


class RoleMissing(LevadaError, code="LV1220"):
    """{who} may not do {action}{where}: it needs the role {needed}, and {who} has {has}. Somebody with the role platform grants it under [roles] in levada.toml."""


class SamePerson(LevadaError, code="LV1221"):
    """{who} asked for this, and cannot approve it: in production another person has to."""


class RequestUnknown(LevadaError, code="LV1222"):
    """There is no open request {id}: it was decided meanwhile, or never was. `levada requests list` shows those that are open."""


class Grant(Struct, frozen=True):
    """A role in one domain, or in all (``*``)."""

    role: str
    domain: str = "*"


class Roles:
    """Who has which roles in one environment.

    Args:
        stated: Person -> grants, ``"operator@sales"`` or ``"viewer"`` for all domains.
        environment: The environment's name.
        owner: The user that the deployment runs as; always platform. Default: this process's.

    Raises:
        ConfigurationError: A grant names no role.
    """

    def __init__(
        self, stated: Mapping[str, Sequence[str]], environment: str, owner: str | None = None
    ) -> None:
        self.environment = environment
        self._owner = owner or getpass.getuser()
        self._grants = {who: [_grant(who, text) for text in texts] for who, texts in stated.items()}

    @property
    def stated(self) -> bool:
        """Whether anybody is named."""
        return bool(self._grants)

    def needs_second(self, action: str) -> bool:
        """Whether another person has to approve."""
        return self.stated and self.environment == "production" and action in SECOND

    def check(self, who: str, action: str, domain: str | None) -> frozenset[str] | None:
        """Refuse what somebody may not do; the domains that it is limited to, None for all.

        Args:
            who: The person.
            action: The action; with `` --reveal`` where it shows personal data.
            domain: That of what it is done to; None: it is about no single one.

        Raises:
            RoleMissing: No role of theirs allows it there.
        """
        if not self.stated or who == self._owner:
            return None
        needed = self._needed(action)
        grants = self._grants.get(who, [])
        allowed = {g.domain for g in grants if g.role in needed}
        if "*" in allowed:
            return None
        if domain in allowed or (domain is None and allowed and action.split(" ")[0] in _LISTS):
            return frozenset(allowed)
        has = ", ".join(f"{g.role}@{g.domain}" for g in grants) or "none"
        where = f" in {domain}" if domain else ""
        raise RoleMissing(who=who, action=action, where=where, needed=" or ".join(sorted(needed)), has=has)

    def _needed(self, action: str) -> frozenset[str]:
        needed = MAY.get(action, frozenset({"platform"}))
        if self.environment != "production" and "operator" in needed:
            needed |= {"developer"}
        return needed


_LISTS = frozenset(
    {"runs.list", "events.topics", "events.subscriptions", "events.parked", "keys.list", "requests.list"}
)
"""What shows many things at once: whoever has a role in one domain sees those of that domain."""


def _grant(who: str, text: str) -> Grant:
    role, _, domain = text.partition("@")
    if role not in ROLES:
        raise ConfigurationError(
            place=f"[roles] {who}",
            reason=f"there is no role {role!r}",
            mend=f"Roles are {', '.join(ROLES)}; write role or role@domain",
        )
    return Grant(role, domain or "*")
