"""Who may read and write which topics: access control lists against the topics that there are."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from typing import Literal, TypeAlias

from msgspec import Struct

from levada.landscape.live._kafka_admin import Acl

__all__ = ["Broad", "Permission", "broad", "may_use", "permissions"]

Role: TypeAlias = Literal["reads", "writes"]
_ROLES: dict[str, tuple[Role, ...]] = {
    "READ": ("reads",), "WRITE": ("writes",), "ALL": ("reads", "writes"),
}  # fmt: skip
ANYONE = "User:*"


class Permission(Struct, frozen=True, order=True):
    """A principal may read or write a topic; ``acl`` is the name in the list that says so."""

    principal: str
    role: Role
    topic: str
    acl: str


class Broad(Struct, frozen=True, order=True):
    """A permission for everybody, or for every topic: it says nothing of who uses what."""

    principal: str
    role: Role
    topic: str


def permissions(acls: Collection[Acl], topics: Collection[str]) -> list[Permission]:
    """What named principals may do with named topics; what is denied as well is left out.

    A prefix stands for the topics that begin with it; as ``prefix*`` where there is none yet.
    """
    denied: set[tuple[str, Role, str, bool]] = {
        (a.principal, role, a.name, a.prefixed)
        for a in acls
        if a.resource == "topic" and not a.allow
        for role in _ROLES.get(a.operation, ())
    }
    out: set[Permission] = set()
    for acl, role in _allowed(acls):
        if _is_broad(acl):
            continue
        names = [t for t in topics if t.startswith(acl.name)] if acl.prefixed else [acl.name]
        for topic in names or [f"{acl.name}*"]:
            if not _denied(acl.principal, role, topic, denied):
                out.add(Permission(acl.principal, role, topic, acl.name + ("*" if acl.prefixed else "")))
    return sorted(out)


def broad(acls: Iterable[Acl]) -> list[Broad]:
    """The permissions that name nobody, or no topic."""
    return sorted({Broad(a.principal, role, a.name) for a, role in _allowed(acls) if _is_broad(a)})


def may_use(acls: Iterable[Acl]) -> Iterator[tuple[str, str]]:
    """Principal and consumer group, where one list names both and no other principal may use that group."""
    users: dict[str, set[str]] = {}
    for acl in acls:
        if acl.resource == "group" and acl.allow and not acl.prefixed and acl.operation in ("READ", "ALL"):
            users.setdefault(acl.name, set()).add(acl.principal)
    for group, principals in sorted(users.items()):
        if len(principals) == 1 and group != "*" and ANYONE not in principals:
            yield next(iter(principals)), group


def _allowed(acls: Iterable[Acl]) -> Iterator[tuple[Acl, Role]]:
    for acl in acls:
        if acl.resource == "topic" and acl.allow:
            for role in _ROLES.get(acl.operation, ()):
                yield acl, role


def _is_broad(acl: Acl) -> bool:
    return acl.principal == ANYONE or (acl.name == "*" and not acl.prefixed) or not acl.name


def _denied(
    principal: str, role: Role, topic: str,
    denied: Collection[tuple[str, Role, str, bool]],
) -> bool:  # fmt: skip
    return any(
        what == role
        and who in (principal, ANYONE)
        and (topic.startswith(name) if prefixed else name in (topic, "*"))
        for who, what, name, prefixed in denied
    )
