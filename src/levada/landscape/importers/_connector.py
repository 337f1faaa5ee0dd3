"""What a connector of an integration tool stands for: the system behind it, and how it is used."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import lru_cache

from msgspec import structs

from levada.landscape.importers._address import addresses, flow_to, is_local
from levada.landscape.importers._products import by_word
from levada.landscape.importers.protocol import Item
from levada.network.graph import Evidence, Flow, Mode, Node
from levada.network.names import slug

__all__ = ["connector_flow", "instances_of", "kebab", "url_flow"]

_FILES = {"ftp": "ftp", "sftp": "sftp", "ftps": "ftps", "ssh": "ssh", "file": "file", "smb": "smb"}
_MAIL = {
    "email": "smtp",
    "email-send": "smtp",
    "email-read-imap": "imap",
    "smtp": "smtp",
    "imap": "imap",
    "pop3": "pop3",
}


@lru_cache(4096)
def kebab(text: str) -> str:
    """``googleSheets`` as ``google-sheets``."""
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "-", text).replace("_", "-").replace(" ", "-").lower()


def instances_of(word: str) -> str | None:
    """What it is of which an organisation runs several (a database, a broker, a file server), so that the word names no system.

    None for a service that is one system, whoever signs in.
    """
    word = kebab(word)
    product = by_word(word)
    if product is not None and product.kind in ("db", "broker") and word not in _MAIL:
        return product.id
    return word if word in _FILES else None


def connector_flow(
    consumer: str,
    word: str,
    evidence: tuple[Evidence, ...],
    *,
    what: str | None = None,
    listens: bool = False,
    connection: str | None = None,
    instance: tuple[str, str] | None = None,
    attributes: dict[str, object] | None = None,
) -> Iterator[Item]:
    """The system of a connector word and the flow to it.

    ``listens``: the connector starts the consumer when something happens there.
    ``connection`` is the name of the credential or connection, kept as an alias; ``instance`` tells the system
    apart from others of its kind where there are several (:func:`instances_of`): within its id, and for people.
    """
    word = kebab(word)
    product = by_word(word)
    mode: Mode = "async" if listens else "sync"
    protocol: str | None = word
    if word in _FILES:
        mode, protocol = "file", _FILES[word]
    elif word in _MAIL:
        mode, protocol = "async", _MAIL[word]
    elif product and product.kind == "db":
        mode, protocol = "db", product.id
    elif product and product.kind == "broker":
        mode, protocol = "async", product.id
    elif product:
        protocol = "http"
    if word in _MAIL:
        node = Node(id="email", name="Mail server")
    elif product:
        node = Node(id=product.id, name=product.name, kind=product.kind)
    else:
        node = Node(
            id=slug(word), name=word.replace("-", " ").title(), kind=None if word in _FILES else "saas"
        )
    if instance:
        node = structs.replace(node, id=f"{node.id}/{instance[0]}", name=f"{node.name} ({instance[1]})")
    aliases = (f"connection:{connection}",) if connection else ()
    yield Node(id=node.id, name=node.name, kind=node.kind, aliases=aliases, evidence=evidence)
    yield Flow(
        consumer=consumer, provider=node.id, object=what, mode=mode, protocol=protocol, evidence=evidence,
        attributes=dict(attributes or {}),
    )  # fmt: skip


def url_flow(consumer: str, url: str, evidence: tuple[Evidence, ...]) -> Iterator[Item]:
    """The flow to a URL's host; nothing where it has none that is literal, or is the machine itself."""
    head = re.split(r"[{$<]", url.strip().lstrip("="), maxsplit=1)[0]
    for address in addresses(head, "URL"):
        if is_local(address.host) or (
            "." not in address.host and address.port is None and head.count("/") < 3
        ):
            continue
        if head == url.strip().lstrip("=") or head.count("/") >= 3 or re.search(r"[?#]", head):
            yield from flow_to(consumer, address, evidence)
        return
