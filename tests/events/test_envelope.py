"""CloudEvents 1.0 in all modes, there and back; what is malformed says so."""

import json
from datetime import UTC, datetime, timedelta, timezone

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from levada.events.envelope import STRUCTURED, Envelope, EnvelopeMalformed

text = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=30)
optional = st.none() | text
envelopes = st.builds(
    Envelope,
    id=text,
    source=text,
    type=text,
    version=st.sampled_from(["1.0", "2.11", "3"]),
    time=st.datetimes(
        min_value=datetime(1980, 1, 1),  # noqa: DTZ001 - hypothesis adds the zone
        timezones=st.sampled_from([UTC, timezone(timedelta(hours=5, minutes=30))]),
    ),
    data=st.recursive(st.none() | st.booleans() | st.integers(-(2**50), 2**50) | text, st.lists, max_leaves=5)
    .filter(lambda v: v is not None)
    .map(msgspec.json.encode),
    key=optional,
    subject=optional,
    dataschema=optional,
    traceparent=optional,
    initiator=optional,
    key_id=optional,
    extensions=st.dictionaries(
        st.from_regex(r"x[a-z0-9]{0,15}", fullmatch=True), text | st.integers(0, 2**31 - 1)
    ),
)


def plain(event: Envelope) -> Envelope:
    """Over headers every attribute is text; the first blank at either end is not for them to keep."""
    return msgspec.structs.replace(event, extensions={n: str(v) for n, v in event.extensions.items()})


@given(envelopes)
def test_stored_and_structured_give_the_event_back(event: Envelope):
    assert Envelope.stored(event.head(), event.data) == event
    assert Envelope.from_structured(event.structured()) == event
    assert Envelope.from_http({"Content-Type": f"{STRUCTURED}; charset=utf-8"}, event.structured()) == event


@given(envelopes)
def test_binary_modes_give_the_event_back(event: Envelope):
    headers, body = event.http()
    assert all(0x21 <= ord(c) <= 0x7E for name, v in headers.items() if name.startswith("ce-") for c in v)
    assert Envelope.from_http({n.title(): v for n, v in headers.items()}, body) == plain(event)
    key, records, value = event.kafka()
    assert Envelope.from_kafka(key, records, value) == plain(event)


def test_binary_data_travels_as_base64():
    event = Envelope(
        id="1", source="/s", type="t", version="1.0", time=datetime.now(UTC),
        data=b"\x00\xff", datacontenttype="application/avro",
    )  # fmt: skip
    assert json.loads(event.structured())["data_base64"] == "AP8="
    assert Envelope.from_structured(event.structured()) == event


def test_foreign_event_with_the_least_is_taken():
    got = Envelope.from_structured(b'{"specversion":"1.0","id":"1","source":"s","type":"t","data":{"a":1}}')
    assert (got.version, got.key, got.data) == ("1.0", None, b'{"a":1}')
    assert abs(datetime.now(UTC) - got.time) < timedelta(minutes=1)


def test_kafka_key_stands_in_for_a_missing_partition_key():
    headers = [("ce_specversion", b"1.0"), ("ce_id", b"1"), ("ce_source", b"s"), ("ce_type", b"t")]
    assert Envelope.from_kafka(b"o-7", headers, b"{}").key == "o-7"


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (b"", "no JSON object"),
        (b"[]", "no JSON object"),
        (b'{"specversion":"1.0"', "no JSON object"),
        (b'{"id":"1","source":"s","type":"t"}', "specversion"),
        (b'{"specversion":"0.3","id":"1","source":"s","type":"t"}', "specversion"),
        (b'{"specversion":"1.0","source":"s","type":"t"}', "id is missing"),
        (b'{"specversion":"1.0","id":7,"source":"s","type":"t"}', "id is missing or no text"),
        (b'{"specversion":"1.0","id":"1","source":"","type":"t"}', "source"),
        (b'{"specversion":"1.0","id":"1","source":"s","type":"t","time":"yesterday"}', "RFC 3339"),
        (b'{"specversion":"1.0","id":"1","source":"s","type":"t","time":"2026-01-01T00:00:00"}', "offset"),
        (b'{"specversion":"1.0","id":"1","source":"s","type":"t","Bad-Name":"x"}', "lower-case"),
        (b'{"specversion":"1.0","id":"1","source":"s","type":"t","x":{"a":1}}', "neither"),
        (b'{"specversion":"1.0","id":"1","source":"s","type":"t","data":1,"data_base64":"AA=="}', "both"),
        (b'{"specversion":"1.0","id":"1","source":"s","type":"t","data_base64":"%%%"}', "data_base64"),
        (b'{"specversion":"1.0","id":"1","source":"s","type":"t","formatversion":99}', "newer"),
        (b'{"specversion":"1.0","id":"1","source":"s","type":"t","partitionkey":5}', "partitionkey"),
        (b'{"specversion":"1.0","id":"\xff","source":"s","type":"t"}', "JSON"),
    ],
)
def test_malformed_says_what_is_wrong(body: bytes, reason: str):
    with pytest.raises(EnvelopeMalformed, match=reason):
        Envelope.from_structured(body)


def test_batches_and_bad_escapes_are_refused():
    with pytest.raises(EnvelopeMalformed, match="not taken here"):
        Envelope.from_http({"content-type": "application/cloudevents-batch+json"}, b"[]")
    with pytest.raises(EnvelopeMalformed, match="UTF-8"):
        Envelope.from_http({"ce-specversion": "1.0", "ce-id": "%ff"}, b"")
