"""Access logs: half lines, rotation, rubbish, and going on where one stopped."""

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from levada.gateway.accesslog import AccessLog, parse


def line(n, **more):
    told = {
        "at": f"{60 * n}.5",
        "consumer": "phone/,sales/Storefront/v1,/gold",
        "route": "sales/Storefront/v1.status sales/Storefront/v1 /orders/{id}",
        "method": "GET",
        "status": 200,
        "us": n,
        "problem": None,
        "unknown": 1,
        **more,
    }
    return msgspec.json.encode(told) + b"\n"


def test_a_line_is_a_call():
    call = parse(line(7, status=404, problem="order-not-found", fault="declared"))
    assert (call.minute, call.consumer, call.plan, call.product) == (
        7,
        "phone",
        "gold",
        "sales/Storefront/v1",
    )
    assert call.template == "/orders/{id}"
    assert (call.operation, call.us, call.problem, call.fault) == (
        "sales/Storefront/v1.status",
        7,
        "order-not-found",
        "declared",
    )
    nobody = parse(line(1, consumer=None, route="not-found", status=404))
    assert (nobody.consumer, nobody.operation, nobody.fault) == ("", "", "caller")
    assert parse(line(1, status=0, us=None)).fault == "caller"


@pytest.mark.parametrize("raw", [b"", b"{", b"[]", b"\xff", b'{"at":"x"}', b'{"at":"inf"}', b'{"at":1}'])
def test_what_is_no_line_is_none(raw):
    assert parse(raw) is None


@given(st.binary())
def test_no_bytes_break_the_reader(raw):
    parse(raw)


def test_half_lines_rubbish_and_rotation(tmp_path):
    path = tmp_path / "access.log"
    log = AccessLog(path)
    assert log.read() == []
    out = path.open("ab", buffering=0)
    out.write(line(1) + line(2)[:20])
    assert [c.us for c in log.read()] == [1]
    out.write(line(2)[20:] + b"rubbish\n")
    assert [c.us for c in log.read()] == [2]
    assert log.bad == 1
    path.rename(tmp_path / "access.log.1")
    path.write_bytes(line(4))
    out.write(line(3))
    assert [c.us for c in log.read()] == [3, 4]
    out.close()
    path.write_bytes(b"")
    assert log.read() == []
    path.write_bytes(line(5))
    assert [c.us for c in log.read()] == [5]
    log.close()


def test_a_later_reader_goes_on_where_one_stopped_also_after_a_rotation(tmp_path):
    path = tmp_path / "access.log"
    path.write_bytes(line(1) + line(2))
    first = AccessLog(path)
    first.read()
    first.close()
    with path.open("ab") as out:
        out.write(line(3))
    path.rename(tmp_path / "access.log.1")
    path.write_bytes(line(4))
    second = AccessLog(path, first.position)
    assert [c.us for c in second.read()] == [3, 4]
    second.close()


def test_no_more_than_asked_for_and_none_left_out(tmp_path):
    path = tmp_path / "access.log"
    path.write_bytes(b"".join(line(n) for n in range(20_000)))
    log = AccessLog(path)
    seen = []
    while batch := log.read(1000):
        seen += [c.us for c in batch]
    assert seen == list(range(20_000))
    path.write_bytes(b"")
    log.read()
    path.write_bytes(b"x" * 300_000 + b"\n" + line(1))
    assert [c.us for c in log.read()] == [1]
    log.close()
