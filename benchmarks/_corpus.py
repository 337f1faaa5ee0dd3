"""Generators of exports to import: n8n workflows, Mule projects, an access log; the same seed gives the same bytes."""

from __future__ import annotations

import json
import random
from pathlib import Path

NODES = (
    ("n8n-nodes-base.webhook", {}), ("n8n-nodes-base.set", {"values": {"string": [{"name": "a", "value": "={{$json.b}}"}]}}),
    ("n8n-nodes-base.if", {}), ("n8n-nodes-base.googleSheets", {"operation": "append", "sheetName": {"value": "Sheet1"}}),
    ("n8n-nodes-base.slack", {"channel": "#orders", "text": "={{$json.text}}"}), ("n8n-nodes-base.postgres", {"operation": "executeQuery", "query": "select * from orders where id = 1"}),
    ("n8n-nodes-base.httpRequest", {"url": "https://erp.example-acme.com/api/orders", "method": "POST"}), ("n8n-nodes-base.code", {"jsCode": "return items.map(i => i.json.total * 2)\n" * 20}),
    ("@n8n/n8n-nodes-langchain.lmChatOpenAi", {"model": "gpt-4o"}), ("n8n-nodes-base.hubspot", {"resource": "contact"}),
    ("n8n-nodes-base.stickyNote", {"content": "## What this does\n" + "Reads the orders of the day and tells the team. " * 12}),
)  # fmt: skip
MULE = "http://www.mulesoft.org/schema/mule"


def n8n(seed: int, files: int, folder: Path) -> int:
    """So many workflows of 5 to 40 nodes, indented as the editor exports them; bytes written."""
    draw = random.Random(seed)
    size = 0
    for number in range(files):
        nodes = []
        for i in range(draw.randrange(5, 40)):
            kind, parameters = draw.choice(NODES)
            nodes.append(
                {
                    "parameters": parameters, "id": f"{draw.getrandbits(128):032x}", "name": f"Step {i}", "type": kind, "typeVersion": 1,
                    "position": [draw.randrange(2000), draw.randrange(2000)], "credentials": {"api": {"id": str(i), "name": f"account {i}"}},
                }
            )  # fmt: skip
        links = {f"Step {i}": {"main": [[{"node": f"Step {i + 1}", "type": "main", "index": 0}]]} for i in range(len(nodes) - 1)}  # fmt: skip
        text = json.dumps({"name": f"Workflow {number}", "nodes": nodes, "connections": links, "active": True, "id": str(number)}, indent=2)  # fmt: skip
        place = folder / f"{number % 50:02d}" / f"{number:05d}.json"
        place.parent.mkdir(parents=True, exist_ok=True)
        size += place.write_text(text, encoding="utf-8")
    return size


def mule(seed: int, projects: int, folder: Path) -> int:
    """So many projects of five files of flows, one of configurations, and their properties; files written."""
    draw = random.Random(seed)
    spaces = " ".join(f'xmlns:{p}="{MULE}/{p}"' for p in ("http", "db", "salesforce", "jms"))
    head = f'<?xml version="1.0" encoding="UTF-8"?>\n<mule xmlns="{MULE}/core" {spaces}>\n'
    written = 0
    for number in range(projects):
        root = folder / f"app-{number:04d}"
        main, resources = root / "src/main/mule", root / "src/main/resources"
        main.mkdir(parents=True, exist_ok=True)
        resources.mkdir(parents=True, exist_ok=True)
        (root / "pom.xml").write_text(f"<project><artifactId>app-{number:04d}</artifactId></project>")
        (resources / "prod.yaml").write_text(f"erp:\n  host: erp{number % 7}.example-acme.com\ndb:\n  host: db{number % 5}.example-acme.com\n")  # fmt: skip
        (main / "global.xml").write_text(
            head + '<configuration-properties file="prod.yaml"/>\n'
            '<http:request-config name="erp"><http:request-connection host="${erp.host}"/></http:request-config>\n'
            '<db:config name="db"><db:my-sql-connection host="${db.host}" database="orders"/></db:config>\n'
            '<salesforce:sfdc-config name="sf"/><jms:config name="mq"/>\n</mule>\n'
        )
        for file in range(5):
            calls = "".join(
                draw.choice(
                    (
                        f'<http:request config-ref="erp" path="/orders/{i}"/>\n', '<salesforce:create config-ref="sf" type="Account"/>\n',
                        '<db:select config-ref="db"><db:sql>select * from orders o join lines l on o.id = l.id</db:sql></db:select>\n',
                        f'<jms:publish config-ref="mq" destination="q{i}"/>\n', '<logger message="#[payload.id]" level="INFO"/>\n' * 3,
                    )
                )
                for i in range(draw.randrange(5, 40))
            )  # fmt: skip
            (main / f"flows{file}.xml").write_text(f'{head}<flow name="f{file}">\n{calls}</flow>\n</mule>\n')
        written += 8
    return written


def access_log(seed: int, megabytes: int, place: Path) -> int:
    """A log in the combined format of at least so many megabytes (10^6); bytes written."""
    draw = random.Random(seed)
    agents = ("billing-sync/2.1", "Mozilla/5.0 (X11; Linux x86_64)", "curl/8.1", "warehouse/1.0 (prod)", "-")
    rows = [
        f'10.0.{draw.randrange(8)}.{draw.randrange(250)} - {draw.choice(("-", "-", "crm", "erp", "shop"))} [%s +0000] '
        f'"{draw.choice(("GET", "POST"))} {draw.choice(("/orders/", "/stock/", "/customers/"))}{draw.randrange(10**6)}{draw.choice(("", "/lines", "?page=2"))} HTTP/1.1" '
        f'{draw.choice((200, 200, 200, 201, 404, 503))} {draw.randrange(9000)} "-" "{draw.choice(agents)}"\n'
        for _ in range(100_000)
    ]  # fmt: skip
    written, second = 0, 0
    with place.open("w", encoding="ascii") as file:
        while written < megabytes * 1_000_000:
            day, rest = divmod(second, 86_400)
            stamp = f"{1 + day % 28:02d}/Oct/2026:{rest // 3600:02d}:{rest // 60 % 60:02d}:{rest % 60:02d}"
            block = "".join(row % stamp for row in draw.sample(rows, 50))
            written += file.write(block)
            second += 1
    return written
