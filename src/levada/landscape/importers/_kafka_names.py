"""How names of a Kafka cluster become systems: the same from its tools' output and from itself."""

from __future__ import annotations

import re

from levada.network.names import slug

__all__ = ["group_alias", "is_internal", "principal_id", "principal_name"]

_INTERNAL = re.compile(r"__|_confluent|_schemas\Z")


def is_internal(topic: str) -> bool:
    """Does the topic belong to Kafka itself (``__consumer_offsets``) or to its schema registry?"""
    return bool(_INTERNAL.match(topic))


def principal_name(principal: str) -> str:
    """``User:CN=shop,OU=x`` is ``CN=shop``, ``User:shop`` is ``shop``."""
    return principal.removeprefix("User:").partition(",")[0]


def principal_id(principal: str) -> str:
    """The id of the system that signs in as this principal: a certificate's common name, or the user."""
    return slug(re.sub(r"^CN=", "", principal_name(principal)))


def group_alias(group: str) -> str:
    """The alias of a consumer group, borne by the group itself and by a principal that may read as it."""
    return f"group:{group}"
