"""From a recording to a contract: routes and types of what was seen, and not one value of it."""

from __future__ import annotations

import json

import pytest

ID = "0191a1b2-0000-7000-8000-000000000001"
SECRETS = ("hunter2", "eyJhbGciOi", "sess-4711", "ada@example.com", "4929123412341234", "k3y-of-ada", ID)


def entry(method, url, status, answer=None, sent=None, kind="application/json"):
    return {
        "request": {
            "method": method, "url": url, "headers": [{"name": "Authorization", "value": "Bearer eyJhbGciOi"}],
            "cookies": [{"name": "session", "value": "sess-4711"}],
            **({"postData": {"mimeType": "application/json", "text": json.dumps(sent)}} if sent is not None else {}),
        },
        "response": {"status": status, "content": {"mimeType": kind, "text": answer if isinstance(answer, str) else json.dumps(answer) if answer is not None else ""}},
    }  # fmt: skip


@pytest.fixture
def recording(tmp_path):
    base = "https://ada:hunter2@api.shop.example"
    file = tmp_path / "shop.har"
    entries = [
        entry("GET", f"{base}/v1/orders/17?expand=lines&access_token=hunter2", 200, {"id": 17, "total": 12, "at": "2026-01-31T10:00:00Z", "card": "4929123412341234"}),
        entry("GET", f"{base}/v1/orders/{ID}", 200, {"id": 18, "total": 1.5, "at": "2026-01-31T11:00:00Z", "card": None, "note": "x"}),
        entry("GET", f"{base}/v1/orders/k3y-of-ada-99", 404, {"message": "hunter2"}),
        entry("GET", f"{base}/v1/orders?page=1&page=2&open=true", 200, [{"id": 17}]),
        entry("POST", f"{base}/v1/orders", 201, {"id": 19}, {"customer": "ada@example.com", "password": "hunter2", "lines": [{"sku": "a", "n": 1}, {"sku": "b"}]}),
        entry("GET", f"{base}/v1/balances", 200, {"ada@example.com": 1, "ben@example.com": 2}),
        *[entry("GET", f"{base}/v1/users/{name}/mail", 200, {"unread": 1}) for name in ("ada", "ben", "cyd", "dan")],
        entry("GET", f"{base}/index.html", 200, "<html>", kind="text/html"),
        entry("GET", "https://cdn.example/x.js", 200, "hunter2()", kind="text/javascript"),
        entry("GET", "https://metrics.example/v1/ping", 200, {"ok": True}),
    ]  # fmt: skip
    file.write_text(json.dumps({"log": {"version": "1.2", "entries": entries}}))
    return file


def test_routes_and_types_are_found_and_no_value_gets_out(project, recording):
    done = project.levada("adopt", str(recording), "--domain", "sales")
    assert done.returncode == 0, done.stderr
    files = {p.relative_to(project.folder): p.read_text() for p in project.folder.rglob("*.py")}
    for secret in SECRETS:
        assert secret not in done.stdout + done.stderr
        assert all(secret not in text for text in files.values())
    code = (project.folder / "shop/contract.py").read_text()
    for line in (
        '@http.get("/v1/orders/{order_id}", raises=[Missing])',
        '@http.get("/v1/users/{user_id}/mail")',
        "total: float", "at: datetime", "card: str | None", "note: str | UnsetType = UNSET", "n: int | UnsetType = UNSET",
        "-> dict[str, int]:", "expand: str | None = None", "page: tuple[int, ...] = ()", "open: bool | None = None",
        "lines: tuple[",
    ):  # fmt: skip
        assert line in code, line
    assert "access_token" not in code
    assert 'url = "https://api.shop.example", path = ""' in done.stdout
    assert "https://metrics.example: 1 calls of another host are left out" in done.stdout
    assert "2 requests for pages, pictures, scripts and the like are left out" in done.stdout
    project.tested()
    project.checked()


@pytest.mark.parametrize(
    "log",
    [
        {},
        {"entries": None},
        {"entries": [None, {"request": 3}, {"request": {"method": "GET", "url": "http://[x"}}]},
    ],
)
def test_a_recording_without_calls_is_refused(project, tmp_path, log):
    (tmp_path / "x.har").write_text(json.dumps({"log": log}))
    refused = project.levada("adopt", str(tmp_path / "x.har"))
    assert refused.returncode == 1
    assert "no request in it has a JSON answer" in refused.stderr
