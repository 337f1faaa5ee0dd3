"""What the comparison says is what msgspec does."""

import msgspec
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st
from tests.contract.strategies import pairs, values

from levada.contract.compatibility.compare import differences
from levada.contract.compatibility.sample import NONE
from levada.contract.compatibility.wire import Wire, wire_of

SLOW = settings(
    max_examples=200,
    deadline=None,
    suppress_health_check=[HealthCheck.filter_too_much, HealthCheck.too_slow],
)


def compared(writer, reader):
    writes, reads = {}, {}
    return differences(wire_of(writer, writes), writes, wire_of(reader, reads), reads)


def reads(kind, text: bytes) -> bool:
    try:
        msgspec.json.decode(text, type=kind)
    except msgspec.ValidationError:
        return False
    return True


@SLOW
@given(pairs(), st.data())
def test_what_is_said_to_be_readable_is_read(pair, data):
    writer, reader = pair
    assume(not compared(writer, reader))
    text = msgspec.json.encode(data.draw(values(writer)))
    assert reads(writer, text), f"the strategy makes no value of the type: {text}"
    assert reads(reader, text), f"{text} was written as {writer} and is not read as {reader}"


@SLOW
@given(pairs())
def test_each_example_is_written_and_refused(pair):
    writer, reader = pair
    for found in compared(writer, reader):
        if found.written is NONE:
            continue
        text = msgspec.json.encode(found.written)
        assert reads(writer, text), f"{found}: {text} is no value of the old type"
        assert not reads(reader, text), f"{found}: {text} is read"


@SLOW
@given(pairs())
def test_a_type_reads_itself_and_its_description_survives_a_file(pair):
    for kind in pair:
        types = {}
        wire = wire_of(kind, types)
        assert differences(wire, types, wire, types) == []
        kept = msgspec.json.decode(msgspec.json.encode((wire, types)), type=tuple[Wire, dict[str, Wire]])
        assert kept == (wire, types)
