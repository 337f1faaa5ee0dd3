"""Which kind of description a source is, and what is made of it."""

from __future__ import annotations

from levada.connect.adopt._documents import decoded
from levada.connect.adopt._fetch import Place
from levada.connect.adopt._package import Adopted
from levada.connect.adopt._wishes import Wishes
from levada.connect.adopt.errors import NotAdopted

__all__ = ["adopt"]

_DATABASES = frozenset(
    {"postgresql", "postgres", "sqlite", "mysql", "mariadb", "oracle", "mssql", "db2", "hana"}
)


def adopt(place: Place, wishes: Wishes) -> Adopted:
    """Contract, adapter, fake and test of what a source describes.

    Raises:
        NotFetched: The source cannot be read.
        NotAdopted: Nothing can be made of it.
    """
    if place.root.partition(":")[0].partition("+")[0].lower() in _DATABASES:
        from levada.connect.adopt._sql_code import adopt_database

        return adopt_database(place, wishes)
    text = place.first().lstrip(b"\xef\xbb\xbf \t\r\n")
    if text.startswith(b"<"):
        from levada.connect.adopt._soap_code import adopt_wsdl

        return adopt_wsdl(place, wishes)
    document = decoded(place, place.root)
    if "openapi" in document or "swagger" in document:
        from levada.connect.adopt._openapi import adopt_openapi

        return adopt_openapi(place, document, wishes)
    if isinstance(document.get("log"), dict):
        from levada.connect.adopt._har import document_of
        from levada.connect.adopt._openapi import adopt_document

        made, notes = document_of(place, document)
        return adopt_document(place, made, wishes, recorded=notes)
    raise NotAdopted(
        place=place.shown,
        reason="it is no WSDL, no OpenAPI document, no HAR recording and no database",
        mend="Give the address or file of one, or a database as env:NAME",
    )
