"""A URL that cannot be used is said without what is secret in it, and without a stack trace of the driver's."""

import traceback

import pytest

from levada.store import StoreError, open_store, schema
from levada.store.postgres import place_of

SECRET = "s3cr3t"
URLS = [
    f"postgresql://u:{SECRET}@127.0.0.1:99999/x",
    f"postgresql://u:ab/{SECRET}@127.0.0.1:1/x",
    f"postgresql://u:ab#{SECRET}@127.0.0.1:1/x",
    f"postgresql://u:ab?{SECRET}@127.0.0.1:1/x",
    f"postgresql://u:a@{SECRET}@127.0.0.1:1/x",
    f"postgresql://127.0.0.1:1/x?user=u&password={SECRET}",
    f"postgresql://u:{SECRET}@127.0.0.1:1/x?sslmode=bogus",
    f"postgresql://u:{SECRET}@[::1/x",
    f"mysql://u:{SECRET}@127.0.0.1:1/x",
    f"sqlite:x.db?key={SECRET}",
]


@pytest.mark.parametrize("ask", [open_store, schema.status])
@pytest.mark.parametrize("url", URLS)
async def test_a_url_that_cannot_be_used_keeps_its_secret(tmp_path, monkeypatch, ask, url):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(StoreError) as refused:
        await ask(url)
    told = "".join(traceback.format_exception(refused.value))
    assert SECRET not in "\n".join(line for line in told.splitlines() if not line.startswith("    "))
    assert SECRET not in str(refused.value)


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        (f"postgresql://u:{SECRET}@db.example:5432/x?sslmode=require", "postgresql://u@db.example:5432/x"),
        (f"postgresql://u:a/b@{SECRET}@db.example/x", "postgresql://u@db.example/x"),
        (f"postgresql://db.example/x?password={SECRET}#a", "postgresql://db.example/x"),
        ("postgresql:///x", "postgresql:///x"),
    ],
)
def test_what_is_shown_of_a_url(url, shown):
    assert place_of(url) == shown
