"""``levada contract diff``, as a domain's CI calls it."""

import json
from pathlib import Path

import pytest
from tests.started import levada

APP = '''
from levada import Event, OrderKey, ProcessAPI, Publishes, http


class Sold(Event, version="1.0"):
    item: OrderKey[str]
    n: int


class Shop(ProcessAPI, domain="shop", version="1.0"):
    """A shop."""

    sold: Publishes[Sold]

    @http.post("/sales")
    async def sell(self, item: str, n: int) -> str:
        """Sell."""
        await self.sold(Sold(item=item, n=n))
        return item
'''


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "shop.py").write_text(APP)
    (tmp_path / "levada.toml").write_text('[app]\nmodules = ["shop"]\n')
    return tmp_path


def diff(folder: Path, *arguments: str, expect: int = 0) -> str:
    done = levada(folder, "contract", "diff", *arguments)
    assert done.returncode == expect, done.stdout + done.stderr
    return done.stdout + done.stderr


def edit(folder: Path, old: str, new: str) -> None:
    text = (folder / "shop.py").read_text()
    assert old in text
    (folder / "shop.py").write_text(text.replace(old, new))


def test_publish_change_compatibly_change_incompatibly(folder):
    assert "contract diff --write" in diff(folder, expect=2)
    assert "Would write" in diff(folder, "--write", "--dry-run")
    assert not (folder / "levada.contracts.json").exists()
    assert "Written" in diff(folder, "--write")
    assert "Compatible: 1 contracts and 1 events" in diff(folder)

    edit(folder, "    n: int\n", "    n: int\n    gift: bool = False\n")
    assert 'Raise the minor: version="1.1"' in diff(folder)
    edit(folder, 'Event, version="1.0"', 'Event, version="1.1"')
    diff(folder, "--write")
    kept = json.loads((folder / "levada.contracts.json").read_text())
    assert [form["version"] for form in kept["events"]["shop.Sold.v1"]] == ["1.0", "1.1"]

    edit(folder, "    n: int\n", "    n: str\n")
    edit(folder, "n=n", "n=str(n)")
    told = json.loads(diff(folder, "--json", "--write", expect=3))
    assert (told["compatible"], told["written"]) == (False, False)
    assert {f["place"] for f in told["findings"] if f["level"] == "breaks"} == {"shop.Sold.v1.n"}
    assert kept == json.loads((folder / "levada.contracts.json").read_text())

    edit(folder, 'Event, version="1.1"', 'Event, version="2.0"')
    assert "shop.Sold.v1: the event was published and is gone" in diff(folder, expect=3)


def test_two_files_are_compared_without_an_app(folder):
    diff(folder, "--write")
    (folder / "levada.contracts.json").rename(folder / "old.json")
    edit(folder, "item: str, n: int)", "item: str, n: int, gift: bool)")
    diff(folder, "new.json", "--write")
    (folder / "levada.toml").unlink()
    assert "sell(gift): the argument is new" in diff(folder, "old.json", "new.json", expect=3)
