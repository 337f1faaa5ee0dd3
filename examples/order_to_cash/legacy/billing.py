"""The billing system: SOAP 1.1 with a WSDL, invoices numbered without a gap, books in SQLite."""

from __future__ import annotations

import sqlite3
import warnings
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

from aiohttp import web
from examples.order_to_cash.legacy.database import open_books, transaction
from examples.order_to_cash.legacy.faults import Faults
from examples.order_to_cash.legacy.http import HttpSystem
from soapbar import (
    ArrayXsdType,
    BindingStyle,
    ComplexXsdType,
    OperationParameter,
    SoapApplication,
    SoapFault,
    SoapService,
    SoapVersion,
    soap_operation,
    xsd,
)

__all__ = ["NAMESPACE", "Billing"]

NAMESPACE = "urn:finance:billing:1"
_SCHEMA = """
CREATE TABLE IF NOT EXISTS document (number INTEGER PRIMARY KEY AUTOINCREMENT, kind TEXT NOT NULL, reference TEXT NOT NULL,
  account TEXT NOT NULL, currency TEXT NOT NULL, total_pence INTEGER NOT NULL, credits INTEGER REFERENCES document, issued TEXT NOT NULL);
CREATE INDEX IF NOT EXISTS document_reference ON document (reference);
CREATE INDEX IF NOT EXISTS document_credits ON document (credits);
CREATE TABLE IF NOT EXISTS position (document INTEGER NOT NULL REFERENCES document, number INTEGER NOT NULL, product TEXT NOT NULL,
  text TEXT NOT NULL, quantity INTEGER NOT NULL, price TEXT NOT NULL, PRIMARY KEY (document, number)) WITHOUT ROWID;
"""
_FIRST = 700001
_WSDL = Path(__file__).with_name("billing.wsdl")


def _type(name: str) -> Any:
    found = xsd.resolve(name)
    assert found is not None
    return found


def _complex(name: str, **fields: Any) -> ComplexXsdType:
    return ComplexXsdType(name, list(fields.items()), target_namespace=NAMESPACE)


_TEXT, _INT, _MONEY = _type("string"), _type("int"), _type("decimal")
_LINE = _complex("Line", Product=_TEXT, Text=_TEXT, Quantity=_INT, Price=_MONEY)
_LINES = ArrayXsdType("Lines", _LINE, element_tag="Line", target_namespace=NAMESPACE)
_DOCUMENT = _complex(
    "Document", Number=_TEXT, Kind=_TEXT, Reference=_TEXT, Account=_TEXT, Currency=_TEXT, Total=_MONEY,
    Credits=_TEXT, Issued=_TEXT, LineCount=_INT,
)  # fmt: skip
_DOCUMENTS = ArrayXsdType("Documents", _DOCUMENT, element_tag="Document", target_namespace=NAMESPACE)


def _in(**types: Any) -> list[OperationParameter]:
    return [OperationParameter(name, kind, namespace=None) for name, kind in types.items()]


class _Service(SoapService):
    __service_name__ = "Billing"
    __port_name__ = "BillingPort"
    __tns__ = NAMESPACE
    __binding_style__ = BindingStyle.DOCUMENT_LITERAL_WRAPPED
    __soap_version__ = SoapVersion.SOAP_11

    def __init__(self, db: sqlite3.Connection) -> None:
        self._db = db

    @soap_operation(
        name="CreateInvoice",
        input_params=_in(Reference=_TEXT, Account=_TEXT, Currency=_TEXT, Lines=_LINES),
        output_params=_in(Document=_DOCUMENT),
    )
    def create_invoice(self, Reference: str, Account: str, Currency: str, Lines: list[Any]) -> Any:
        return self._issue("invoice", Reference, Account, Currency, Lines, None)

    @soap_operation(
        name="CreditNote",
        input_params=[
            *_in(Reference=_TEXT, Account=_TEXT, Currency=_TEXT),
            OperationParameter("Credits", _TEXT, required=False),
            *_in(Lines=_LINES),
        ],
        output_params=_in(Document=_DOCUMENT),
    )
    def credit_note(
        self, Reference: str, Account: str, Currency: str, Lines: list[Any], Credits: str | None = None
    ) -> Any:
        original = None
        if Credits:
            row = self._row(Credits)
            if row["kind"] != "invoice" or row["account"] != Account:
                raise _client("NOT_CREDITABLE", f"{Credits} is no invoice of account {Account}")
            original = row["number"]
        return self._issue("credit note", Reference, Account, Currency, Lines, original)

    @soap_operation(name="GetInvoice", input_params=_in(Number=_TEXT), output_params=_in(Document=_DOCUMENT))
    def get_invoice(self, Number: str) -> Any:
        return {"Document": _view(self._row(Number))}

    @soap_operation(
        name="FindInvoiceByReference",
        input_params=_in(Reference=_TEXT),
        output_params=_in(Documents=_DOCUMENTS),
    )
    def find(self, Reference: str) -> Any:
        rows = self._db.execute(_SELECT + " WHERE d.reference=? ORDER BY number", (Reference,))
        return {"Documents": [_view(row) for row in rows]}

    def _row(self, number: str) -> sqlite3.Row:
        digits = number.removeprefix("R-")
        known = digits.isascii() and digits.isdigit() and len(digits) < 18
        row = self._db.execute(_SELECT + " WHERE d.number=?", (int(digits),)).fetchone() if known else None
        if row is None:
            raise _client("UNKNOWN_DOCUMENT", f"There is no document {number!r}.")
        return row

    def _issue(
        self, kind: str, reference: str, account: str, currency: str, lines: list[Any], credited: int | None
    ) -> Any:
        _check(reference, account, currency, lines)
        exact = sum((line["Quantity"] * line["Price"] for line in lines), Decimal())
        pence = int((exact * 100).quantize(Decimal(1), "ROUND_HALF_UP"))
        if pence <= 0:
            raise _client("BAD_TOTAL", f"The total is {exact}; it has to be above 0, also of a credit note.")
        with transaction(self._db) as db:
            if credited is not None:
                _check_left(db, credited, pence)
            number = db.execute(
                "INSERT INTO document (kind, reference, account, currency, total_pence, credits, issued) VALUES (?,?,?,?,?,?,?)",
                (kind, reference, account, currency, pence, credited, datetime.now(UTC).isoformat()),
            ).lastrowid
            db.executemany(
                "INSERT INTO position VALUES (?,?,?,?,?,?)",
                [(number, at, line["Product"], line["Text"] or "", line["Quantity"], str(line["Price"]))
                 for at, line in enumerate(lines, 1)],
            )  # fmt: skip
        return {"Document": _view(self._row(f"R-{number}"))}


def _check(reference: str, account: str, currency: str, lines: list[Any]) -> None:
    if not reference.strip() or len(reference) > 100:
        raise _client("BAD_REFERENCE", "Reference has 1 to 100 characters.")
    if not account.isdecimal():
        raise _client("BAD_ACCOUNT", f"Account {account!r} is not a number.")
    if currency != "GBP":
        raise _client("BAD_CURRENCY", f"Currency {currency!r}: only GBP is billed.")
    if not lines:
        raise _client("NO_LINES", "At least one line is needed.")
    for at, line in enumerate(lines, 1):
        price, quantity = line.get("Price"), line.get("Quantity")
        good = (
            isinstance(price, Decimal)
            and price.is_finite()
            and isinstance(quantity, int)
            and line.get("Product")
        )
        if not good or price < 0 or quantity <= 0:
            raise _client(
                "BAD_LINE", f"Line {at}: Product, Quantity above 0 and Price not below 0 are needed."
            )


def _check_left(db: sqlite3.Connection, credited: int, pence: int) -> None:
    left = db.execute(
        "SELECT d.total_pence - (SELECT coalesce(sum(c.total_pence), 0) FROM document c WHERE c.credits = d.number) "
        "FROM document d WHERE d.number=?", (credited,)
    ).fetchone()[0]  # fmt: skip
    if pence > left:
        raise _client("OVER_CREDIT", f"Of R-{credited} only {left / 100:.2f} can still be credited.")


_SELECT = "SELECT d.*, (SELECT count(*) FROM position p WHERE p.document = d.number) AS lines FROM document d"


def _view(row: sqlite3.Row) -> dict[str, Any]:
    return {
        "Number": f"R-{row['number']}", "Kind": row["kind"], "Reference": row["reference"], "Account": row["account"],
        "Currency": row["currency"], "Total": Decimal(row["total_pence"]).scaleb(-2),
        "Credits": f"R-{row['credits']}" if row["credits"] else "", "Issued": row["issued"], "LineCount": row["lines"],
    }  # fmt: skip


def _client(code: str, text: str) -> SoapFault:
    return SoapFault("Client", f"{code}: {text}", detail=code)


class Billing(HttpSystem):
    """Does NOT recognise a repeat: the same reference twice gives two invoices, which FindInvoiceByReference shows."""

    name = "billing"

    def __init__(self, directory: Path, *, port: int = 0, faults: Faults | None = None) -> None:
        super().__init__(directory, port=port, faults=faults)

    @property
    def wsdl(self) -> str:
        """Where the WSDL is."""
        return f"{self.address}/soap?wsdl"

    def _more(self) -> dict[str, Any]:
        return {"wsdl": self.wsdl}

    def application(self) -> web.Application:
        app = web.Application(client_max_size=10 << 20)
        app.router.add_get("/soap", self._wsdl)
        app.router.add_post("/soap", self._soap)
        return app

    async def _start(self) -> None:
        self.db = open_books(self.directory / "billing.db", _SCHEMA)
        self.db.execute(
            "INSERT INTO sqlite_sequence (name, seq) SELECT 'document', ? "
            "WHERE NOT EXISTS (SELECT 1 FROM sqlite_sequence WHERE name='document')", (_FIRST - 1,),
        )  # fmt: skip
        await super()._start()

    async def _stop(self) -> None:
        await super()._stop()
        if hasattr(self, "db"):
            self.db.close()
            del self.db

    async def _open_door(self) -> None:
        await super()._open_door()
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)  # it warns of plain HTTP; this is the loopback
            # Written by hand: soapbar's own generator leaves out the types that parameters refer to.
            wsdl = _WSDL.read_bytes().replace(b"ADDRESS", f"{self.address}/soap".encode())
            self._soap_app = SoapApplication(wsdl, f"{self.address}/soap")
        self._soap_app.register(_Service(self.db))

    async def _reads(self, request: web.Request) -> bool:
        action = request.headers.get("SOAPAction", "")
        return "GetInvoice" in action or "FindInvoice" in action

    async def _wsdl(self, _: web.Request) -> web.Response:
        return web.Response(body=self._soap_app.get_wsdl(), content_type="text/xml", charset="utf-8")

    async def _soap(self, http: web.Request) -> web.Response:
        # On the loop, not on a thread: one writer, and the books are one connection.
        status, kind, body = self._soap_app.handle_request(
            await http.read(), http.headers.get("SOAPAction", "").strip('"'), http.content_type
        )
        return web.Response(body=body, status=status, headers={"Content-Type": kind})

    def all_invoices(self) -> list[dict[str, Any]]:
        """All documents, credit notes too, by number; one reference may stand several times."""
        return [_view(row) for row in self.db.execute(_SELECT + " ORDER BY number")]

    def duplicates(self) -> dict[str, int]:
        """References that more than one document of a kind bears."""
        rows = self.db.execute(
            "SELECT reference, count(*) FROM document GROUP BY reference, kind HAVING count(*) > 1"
        )
        return {row[0]: row[1] for row in rows}

    async def holdings(self) -> dict[str, Any]:
        return {"invoices": self.all_invoices(), "duplicates": self.duplicates()}
