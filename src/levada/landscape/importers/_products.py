"""Products known by host or connector word; the list is data (``products.toml``)."""

from __future__ import annotations

import re
import tomllib
from functools import cache, lru_cache
from importlib.resources import files
from typing import cast

from msgspec import Struct

from levada.network.graph import Kind

__all__ = ["Product", "by_host", "by_word", "kind_of_image", "product_of_image"]


class Product(Struct, frozen=True):
    """A product of the list."""

    id: str
    name: str
    kind: Kind
    hosts: tuple[str, ...] = ()
    words: tuple[str, ...] = ()


@cache
def _all() -> dict[str, Product]:
    data = tomllib.loads(files("levada.landscape.importers").joinpath("products.toml").read_text("utf-8"))
    out: dict[str, Product] = {}
    for key, row in data["products"].items():
        out[key] = Product(
            key,
            row["name"],
            cast("Kind", row["kind"]),
            tuple(row.get("hosts", ())),
            tuple(row.get("words", ())),
        )
    return out


@cache
def _words() -> dict[str, Product]:
    return {_flat(w): p for p in _all().values() for w in (*p.words, p.id)}


@cache
def _hosts() -> dict[str, Product]:
    return {h: p for p in _all().values() for h in p.hosts}


_REGION = re.compile(r"[a-z]{2}(?:-[a-z]+)+-\d")
_REGION_AFTER = r"-[a-z]{2}(?:-[a-z]+)+-\d$"


@lru_cache(4096)
def by_word(word: str) -> Product | None:
    """The product of a connector's word (``salesforce``, ``googleSheets``, ``aws2-s3-sink``), or None."""
    return _words().get(_flat(word))


@lru_cache(4096)
def by_host(host: str) -> Product | None:
    """The product a host belongs to, by itself or its longest listed parent domain; regional AWS names too."""
    host = host.lower().rstrip(".")
    aws = re.fullmatch(r"(.+)\.amazonaws\.com(?:\.cn)?", host)
    if aws:
        labels = [part for part in aws[1].split(".") if not _REGION.fullmatch(part)]
        return by_word(f"aws-{re.sub(_REGION_AFTER, '', labels[-1])}") if labels else None
    parts = host.split(".")
    for start in range(len(parts) - 1):
        if found := _hosts().get(".".join(parts[start:])):
            return found
    return None


def product_of_image(image: str) -> Product | None:
    """The database or broker that a container's image is one of, else None."""
    name = image.split("@")[0].rpartition("/")[2].split(":")[0]
    if name in ("cp-kafka", "kafka-native", "bitnami-kafka", "cp-server"):
        name = "kafka"
    product = by_word(name)
    return product if product and product.kind in ("db", "broker") else None


def kind_of_image(image: str) -> Kind | None:
    """``db`` or ``broker`` where a container's image is that of one, else None."""
    product = product_of_image(image)
    return product.kind if product else None


def _flat(word: str) -> str:
    return re.sub(r"[^a-z0-9]", "", word.lower())
