"""From a table of the ERP to a green test, and to its real rows through the generated adapter."""

from __future__ import annotations

import asyncio
import sqlite3
from decimal import Decimal
from pathlib import Path

import asyncpg
import pytest

from levada import App
from levada.connect.adopt._tables import allowed
from levada.connect.sql import Database
from levada.contract.standard import BadRequest

SCHEMA = Path(__file__).parents[3] / "examples/order_to_cash/legacy/erp.sql"
ROWS = """
INSERT INTO land (land_bez) VALUES ('France');
INSERT INTO kunde VALUES (12347, 'Ada', 'N'), (12348, 'Ben', 'J'), (12349, 'Cy', 'N');
INSERT INTO kunde_adr VALUES (12347, 'L', 1), (12347, 'R', 1), (12348, 'R', 1);
INSERT INTO artikel VALUES ('85123A', 1);
INSERT INTO preisliste VALUES (1, '85123A', 2.5500), (2, '85123A', 2.9500);
INSERT INTO buchung (kd_nr, beleg, sh_kz, betrag) VALUES (12347, 'R-1', 'S', 12.30);
"""


@pytest.fixture
async def erp(postgres_dsn):
    """The ERP's database, with the schema that it has in the example."""
    admin = await asyncpg.connect(postgres_dsn)
    await admin.execute("DROP DATABASE IF EXISTS adopted_erp WITH (FORCE)")
    await admin.execute("CREATE DATABASE adopted_erp")
    head, _, tail = postgres_dsn.partition("?")
    url = head.rpartition("/")[0] + "/adopted_erp" + (f"?{tail}" if tail else "")
    books = await asyncpg.connect(url)
    await books.execute(SCHEMA.read_text() + ROWS)
    await books.close()
    yield url
    await admin.execute("DROP DATABASE adopted_erp WITH (FORCE)")
    await admin.close()


async def test_from_a_table_of_the_erp_to_its_rows(erp, project, load):
    project.env["ERP_URL"] = erp
    report = await asyncio.to_thread(
        project.adopt,
        "env:ERP_URL",
        "--tables",
        "kunde,kunde_adr,preisliste,buchung",
        "--domain",
        "sales",
        "--name",
        "Erp",
    )
    assert erp not in str(report)
    assert 'url = "env:ERP_URL"' in report["settings"]
    assert '# [app] modules has to name "erp"\n' in report["settings"]
    # With ERP_URL set the generated tests ask the real tables, too.
    assert "9 passed" in await asyncio.to_thread(project.tested)

    contract = load("erp.contract")
    async with App(load("erp.adapter").SqlErp, resources={"erp": Database(erp)}) as app:
        api = app[contract.Erp]
        assert await api.kunde(12348) == contract.Kunde(kd_nr=12348, kd_name="Ben", sperr_kz="J")
        with pytest.raises(contract.KundeNotFound, match="12"):
            await api.kunde(12)
        # A column of 32 bits cannot be asked for more.
        with pytest.raises(BadRequest, match="<= 2147483647"):
            await api.kunde(2**31)
        assert (await api.preisliste(1, "85123A")).preis == Decimal("2.5500")
        booked = (await api.list_buchung()).items[0]
        assert (booked.betrag, booked.bu_dat.tzinfo is not None) == (Decimal("12.30"), True)

        first = await api.list_kunde_adr(limit=2)
        assert [(a.kd_nr, a.adr_art) for a in first.items] == [(12347, "L"), (12347, "R")]
        second = await api.list_kunde_adr(cursor=first.next, limit=2)
        assert [(a.kd_nr, a.adr_art) for a in second.items] == [(12348, "R")]
        assert second.next is None
        with pytest.raises(contract.CursorRefused):
            await api.list_kunde_adr(cursor="something else")


def test_what_the_checks_allow_is_the_type(project, tmp_path):
    books = sqlite3.connect(tmp_path / "books.db")
    books.executescript("""
        CREATE TABLE entry (id INTEGER PRIMARY KEY, "Date" DATE NOT NULL, kind CHAR(1) NOT NULL CHECK (kind IN ('a','b''')),
          level INTEGER CHECK (level IN (1, 2)), state TEXT CHECK (state IN ('x') OR level > 1), data JSON, "class" TEXT);
        CREATE TABLE noise (text TEXT);
    """)
    books.close()
    report = project.adopt(f"sqlite:{tmp_path}/books.db", "--domain", "books")
    assert report["left_out"] == ["noise: left out, it has no key to find and page its rows by"]
    code = (project.folder / "books/contract.py").read_text()
    for line in (
        'date_: date = field(name="date")', 'kind: Literal["a", "b\'"]', "level: Literal[1, 2] | None",
        "state: str | None", "data: Any", 'class_: str | None = field(name="class")',
    ):  # fmt: skip
        assert line in code
    project.env |= report["environment"]
    assert "3 passed" in project.tested()
    project.checked()


def test_columns_that_differ_in_spelling_alone_keep_a_name_each(project, tmp_path):
    url = f"sqlite:{tmp_path / 'shop.db'}"
    with sqlite3.connect(tmp_path / "shop.db") as books:
        books.execute('CREATE TABLE item (id INTEGER PRIMARY KEY, "Net Price" INTEGER, "net-price" INTEGER)')
    project.adopt(url, "--domain", "sales", "--name", "Shop")
    assert "passed" in project.tested()


async def test_times_with_and_without_a_zone_are_told_apart(erp, project, load):
    books = await asyncpg.connect(erp)
    await books.execute("""
        CREATE TABLE shop_visit (id int PRIMARY KEY, came timestamptz NOT NULL, gone timestamp NOT NULL, often timestamp[]);
        INSERT INTO shop_visit VALUES (1, '2026-01-01 12:00Z', '2026-01-01 13:00', NULL)""")
    await books.close()
    project.env["ERP_URL"] = erp
    arguments = ("env:ERP_URL", "--tables", "shop_visit", "--domain", "sales", "--name", "Visits")
    report = await asyncio.to_thread(project.adopt, *arguments)
    (zone,) = [d for d in report["decide"] if d["kind"] == "zone"]
    assert zone["text"].startswith("shop_visit.gone, shop_visit.often has no time zone")
    code = (project.folder / "visits/contract.py").read_text()
    assert "came: Annotated[datetime, Meta(tz=True)]" in code
    assert "gone: Annotated[datetime, Meta(tz=False)]" in code
    assert 'detail="No shop visit {id}."' in code
    assert "passed" in await asyncio.to_thread(project.tested)
    async with App(load("visits.adapter").SqlVisits, resources={"visits": Database(erp)}) as app:
        real = await app[load("visits.contract").Visits].shop_visit(1)
    fake = load("visits.fake").FakeVisits()
    for row in (real, fake.shop_visit_rows[0]):
        assert (row.came.tzinfo is not None, row.gone.tzinfo) == (True, None)
    with pytest.raises(load("visits.contract").CursorRefused):
        await fake.list_shop_visit("x")


@pytest.mark.parametrize(
    ("check", "type_"),
    [
        ("CHECK ((sh_kz = ANY (ARRAY['S'::bpchar, 'H'::bpchar])))", 'Literal["S", "H"]'),
        (
            "CHECK (((a)::text = ANY ((ARRAY['x'::character varying, 'y'::character varying])::text[])))",
            'Literal["x", "y"]',
        ),
        ("CHECK ((n = ANY (ARRAY[1, 2])))", "Literal[1, 2]"),
        ("CHECK (((n = ANY (ARRAY[1, 2])) OR (n > 9)))", None),
        ("CHECK ((n > 0))", None),
        ("a IN ('x') OR b = 1", None),
    ],
)
def test_only_a_whole_check_narrows_a_type(check, type_):
    assert allowed([check]) == type_


def test_a_password_does_not_stand_in_a_command_and_is_never_shown(project):
    refused = project.levada("adopt", "postgresql://ada:hunter2@127.0.0.1:1/erp")
    assert refused.returncode == 1
    assert "LV1630" in refused.stderr
    project.env["ERP_URL"] = "postgresql://ada:hunter2@127.0.0.1:1/erp"
    unreachable = project.levada("adopt", "env:ERP_URL", "--json")
    assert unreachable.returncode == 1
    assert "hunter2" not in refused.stdout + refused.stderr + unreachable.stdout + unreachable.stderr


def test_a_table_that_is_not_there_is_named_with_those_that_are(project, tmp_path):
    sqlite3.connect(tmp_path / "b.db").executescript("CREATE TABLE here (id INTEGER PRIMARY KEY)").close()
    refused = project.levada("adopt", f"sqlite:{tmp_path}/b.db", "--tables", "gone")
    assert "there is no table gone. There are: here" in refused.stderr
    missing = project.levada("adopt", f"sqlite:{tmp_path}/c.db")
    assert "there is no such file" in missing.stderr
    assert not (tmp_path / "c.db").exists()


def test_what_cannot_be_written_says_whether_anything_was(project, tmp_path):
    sqlite3.connect(tmp_path / "b.db").executescript("CREATE TABLE here (id INTEGER PRIMARY KEY)").close()
    (project.folder / "taken").write_text("")
    source = f"sqlite:{tmp_path}/b.db"
    nothing = project.levada("adopt", source, "--out", "taken").stderr
    assert "Nothing was written; correct that and run it again." in nothing
    (project.folder / "tests").write_text("")
    half = project.levada("adopt", source).stderr
    assert "What was written before it stays; correct that and run it again with --force." in half
