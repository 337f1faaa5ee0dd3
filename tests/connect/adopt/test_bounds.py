"""What a description may refer to, and what is refused before it does harm."""

from __future__ import annotations

from pathlib import Path

import pytest

from levada.connect.adopt import NotAdopted, NotFetched, Place, Wishes, adopt, shown
from levada.connect.adopt import _fetch as fetch

WSDL = (Path(__file__).parents[3] / "examples/order_to_cash/legacy/billing.wsdl").read_text()
BOMB = '<!DOCTYPE x [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;">]>'
OUTSIDE = '<!DOCTYPE x [<!ENTITY a SYSTEM "file:///etc/passwd">]>'
IMPORT = '<xsd:import namespace="urn:other" schemaLocation="{}"/><xsd:complexType name="Line">'


def adopted(folder: Path, text: str, *also: str):
    (folder / "in").mkdir(exist_ok=True)
    file = folder / "in/billing.wsdl"
    file.write_text(text)
    return adopt(Place(str(file), also), Wishes(domain="finance"))


@pytest.mark.parametrize("head", [BOMB, OUTSIDE, '<!DOCTYPE x SYSTEM "http://127.0.0.1:1/x.dtd">'])
def test_entities_and_dtds_are_refused(tmp_path, head):
    with pytest.raises(NotAdopted, match="cannot be read as a WSDL"):
        adopted(tmp_path, WSDL.replace("?>", f"?>{head}", 1))


@pytest.mark.parametrize("text", ["<", "<a/>", "<html><body>Sign in</body></html>", WSDL[: len(WSDL) // 2]])
def test_what_is_no_wsdl_is_said_so(tmp_path, text):
    with pytest.raises(NotAdopted):
        adopted(tmp_path, text)


def test_an_import_comes_from_the_own_folder_or_from_where_it_was_allowed(tmp_path):
    (tmp_path / "other.xsd").write_text(
        '<xsd:schema xmlns:xsd="http://www.w3.org/2001/XMLSchema" targetNamespace="urn:other"/>'
    )
    text = WSDL.replace('<xsd:complexType name="Line">', IMPORT.format("../other.xsd"))
    with pytest.raises(NotFetched, match="--also"):
        adopted(tmp_path, text)
    assert len(adopted(tmp_path, text, str(tmp_path)).operations) == 4
    with pytest.raises(NotFetched, match="another host"):
        adopted(
            tmp_path, WSDL.replace('<xsd:complexType name="Line">', IMPORT.format("http://127.0.0.1:1/x.xsd"))
        )


def test_what_is_too_large_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(fetch, "LARGEST", 1000)
    with pytest.raises(NotFetched, match="more than"):
        adopted(tmp_path, WSDL)


def test_an_address_is_shown_without_what_is_secret_in_it():
    address = "https://ada:hunter2@host:8443/soap?wsdl&key=k3y#x"
    assert shown(address) == "https://host:8443/soap?wsdl&key=***"
    with pytest.raises(NotFetched) as caught:
        Place("http://ada:hunter2@127.0.0.1:1/soap?wsdl").first()
    assert "hunter2" not in str(caught.value)
