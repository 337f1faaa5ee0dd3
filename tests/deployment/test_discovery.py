"""What of a package becomes part of an app."""

from __future__ import annotations

import sys

import pytest

from levada.deployment.configuration import implementations_in

CONTRACTS = """
from abc import abstractmethod
from levada import SystemAPI, http

class Stock(SystemAPI, domain="shop", version="1.0"):
    \"\"\"Stock.\"\"\"

    @http.get("/items/{{item}}")
    @abstractmethod
    async def available(self, item: str) -> int: ...
"""
ADAPTER = """
from {name}.contracts import Stock

class Shelf(Stock):
    async def available(self, item: str) -> int:
        return 1
"""
FAKES = """
from levada import testing
from {name}.contracts import Stock

class FakeStock(testing.Fake, Stock):
    async def available(self, item: str) -> int:
        return 2
"""


@pytest.fixture
def package(tmp_path):
    name = "found_here"
    folder = tmp_path / name
    folder.mkdir()
    (folder / "__init__.py").touch()
    for file, text in (("contracts", CONTRACTS), ("shelf", ADAPTER), ("fakes", FAKES)):
        (folder / f"{file}.py").write_text(text.format(name=name))
    before = list(sys.path)
    yield name, tmp_path
    sys.path[:] = before
    for module in [m for m in sys.modules if m.partition(".")[0] == name]:
        del sys.modules[module]


def test_adapters_are_found_and_neither_contracts_nor_the_fakes_beside_them(package):
    name, folder = package
    assert [c.__name__ for c in implementations_in([name], folder)] == ["Shelf"]
