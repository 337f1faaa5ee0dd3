"""Secrets as people leave them in files: in no output, and each reported where it stands."""

import json
from pathlib import Path

import openpyxl
import pytest

from levada.cli.main import main
from levada.landscape.importers._redact import bare, bare_path
from levada.landscape.mapping import Mapped, map_folders

HOOK = "https://hooks.slack.com/services/T01ABCDEF/B04GHIJKL/aBcDeFgHiJkLmNoPqRsTuVwX"
FILES = {
    "hook.sh": f"#!/bin/sh\ncurl -d x {HOOK}\n",
    "bot.sh": "#!/bin/sh\ncurl https://api.telegram.org/bot123456789:AAa1b2c3d4e5f6g7h8i9j0k1l2m3n4o5p6q/send\n",
    "teams.sh": "#!/bin/sh\ncurl https://acme.webhook.office.com/webhookb2/Qx7f8e1c-aaaa-bbbb-cccc-1234567890ab@x/y\n",
    "load.sh": "#!/bin/sh\nmysql -h db.acme.example -pMYSQLpw15 -e 'select * from orders'\nlftp -u batch,LFTPpw16 sftp.acme.example\n",
    "flows.csv": "consumer,provider,object,mode\ncrm,https://u:CSVpw17@host.acme.example/x?token=CSVtok18,orders,sync\n",
    "sheet.csv": "source system,target system,comment,hours/month\n"
    "a,b,password: SHEETa1x,pw: FIGpw26\na,c,Pw: SHEETb2x\na,d,pw: SHEETc3x\na,e,api key = SHEETd4x\na,f,Passwort: SHEETe5x\na,g,token is SHEETf6x\n",
    "flow.json": json.dumps(
        {
            "name": "pull",
            "nodes": [
                {
                    "id": "1",
                    "type": "n8n-nodes-base.httpRequest",
                    "parameters": {
                        "url": "https://crm.acme.example/x",
                        "headerParameters": {
                            "parameters": [{"name": "Authorization", "value": "Bearer N8Ntok19abc"}]
                        },
                    },
                }
            ],
        },
        indent=1,
    ),
    "main.tf": 'resource "aws_lambda_function" "f" {\n  function_name = "f"\n  environment {\n    variables = {\n'
    '      CRM_URL   = "https://crm.acme.example"\n      CRM_TOKEN = "TFtok20x"\n    }\n  }\n}\n',
    "compose.yaml": "services:\n  a:\n    image: x\n    command: run --token=CMDtok21\n    environment:\n"
    "      AWS_SECRET_ACCESS_KEY: AWSkey22x\n      CRM_URL: https://crm.acme.example/a\n",
    "shop-access.log": '10.0.0.1 - crm [10/Oct/2026:13:55:36 +0000] "GET /orders;jsessionid=LOGses23x/list?token=LOGtok24x HTTP/1.1" 200 1\n' * 2,
}  # fmt: skip
PLANTED = (
    "aBcDeFgHiJkLmNoPqRsTuVwX", "AAa1b2c3d4e5f6g7", "Qx7f8e1c-aaaa", "MYSQLpw15", "LFTPpw16", "CSVpw17", "CSVtok18", "SHEETa1x", "SHEETb2x",
    "SHEETc3x", "SHEETd4x", "SHEETe5x", "SHEETf6x", "N8Ntok19abc", "TFtok20x", "CMDtok21", "AWSkey22x", "LOGses23x", "LOGtok24x", "BOOKpw25", "FIGpw26",
)  # fmt: skip


@pytest.fixture
def root(tmp_path: Path) -> Path:
    root = tmp_path / "here"
    root.mkdir()
    for name, text in FILES.items():
        (root / name).write_text(text, encoding="utf-8")
    book = openpyxl.Workbook()
    sheet = book.active
    assert sheet is not None
    sheet.append(["source system", "target system", "comment"])
    sheet.append(["a", "h", "Pw: BOOKpw25"])
    book.save(root / "sheet.xlsx")
    return root


def _places(mapped: Mapped) -> set[tuple[str | None, int | None]]:
    return {(f.source, f.line) for f in mapped.network.findings if f.kind == "secret"}


def test_each_is_reported_where_it_stands(root: Path) -> None:
    told = _places(map_folders([root]))
    wanted = {
        ("hook.sh", 2),
        ("bot.sh", 2),
        ("teams.sh", 2),
        ("load.sh", 2),
        ("load.sh", 3),
        ("flows.csv", 2),
        ("main.tf", 6),
    }
    wanted |= {("sheet.csv", n) for n in range(2, 8)} | {
        ("sheet.xlsx", 2),
        ("compose.yaml", 4),
        ("compose.yaml", 6),
    }
    wanted |= {("shop-access.log", 1)}
    assert wanted <= told
    assert any(source == "flow.json" for source, _ in told)
    assert told <= wanted | {p for p in told if p[0] == "flow.json"}  # nothing else is taken for one


def test_no_output_holds_one(root: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "out"
    out.mkdir()
    here = str(root)
    for arguments in (
        ["map", here, "--json"], ["map", here], ["map", here, "--out", str(out / "m.yaml")], ["map", here, "--out", str(out / "m.jsonl")],
        ["map", here, "--out", str(out / "csv")], ["map", here, "--out", str(out / "m.xlsx")],
        ["map", here, "--questions", str(out / "q.csv")], ["review", here], ["blueprint", here], ["blueprint", here, "--json"],
        ["plan", here], ["plan", here, "--json"], ["report", here, "--out", str(out / "r.html")],
        ["report", here, "--out", str(out / "r.md")], ["report", here, "--out", str(out / "r.json")],
    ):  # fmt: skip
        with pytest.raises(SystemExit) as ended:
            main(arguments)
        assert ended.value.code in (0, 1), arguments
    said = capsys.readouterr()
    texts = {"stdout": said.out, "stderr": said.err}
    for path in [
        p for folder in (out, root) for p in folder.rglob("*") if p.is_file() and p.name not in FILES
    ]:
        if path.suffix == ".xlsx":
            if path.parent == out:
                texts[path.name] = str([list(s.values) for s in openpyxl.load_workbook(path)])
        else:
            texts[path.name] = path.read_text("utf-8")
    assert len(texts) > 9, texts.keys()
    held = {(name, p) for name, text in texts.items() for p in PLANTED if p.lower() in text.lower()}
    assert not held


@pytest.mark.parametrize(
    ("text", "left"),
    [
        ("https://h/x?token=a", "https://h/x"), ("/a;jsessionid=1f/b?c=d", "/a/b"), ("what now?", "what now?"), ("a; b/c", "a; b/c"),
        ("/services/aBcDeFgHiJkLmNoPqRsTuVwX", "/services/{}"), ("/v1/OrderServiceV2ForCustomers", "/v1/OrderServiceV2ForCustomers"),
        ("/v1/order-service-v2-of-2024", "/v1/order-service-v2-of-2024"), ("/hooks/3f2504e04f8911d39a0c0305e82c3301", "/hooks/{}"),
    ],
)  # fmt: skip
def test_a_path_is_bare(text: str, left: str) -> None:
    assert bare_path(text) == left
    assert bare("/x/" + "aB1" * 9) == "/x/" + "aB1" * 9


def test_what_a_remark_may_say(tmp_path: Path) -> None:
    rows = (
        "password: see vault",
        "the token is renewed daily",
        "Passwort: siehe Wiki",
        "pass: ${PW}",
        "token: env:CRM_TOKEN",
    )
    sheet = "source system,target system,comment\n" + "".join(f"a,b{n},{r}\n" for n, r in enumerate(rows))
    (tmp_path / "sheet.csv").write_text(sheet)
    mapped = map_folders([tmp_path])
    assert not _places(mapped)
    assert {f.attributes["remark"] for f in mapped.network.flows.values()} == set(rows)
