"""Event patterns: each operator, lists, $or, mistakes, and explanations that agree with matching."""

from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from levada.events.envelope import Envelope
from levada.events.filter import Filter, FilterFailed, FilterMalformed

CASES: list[tuple[Any, Any, bool]] = [
    (["a"], "a", True),
    (["a"], "A", False),
    (["a", "b"], "b", True),
    ([1], 1, True),
    ([1], 1.0, True),
    ([1], "1", False),
    ([1], True, False),
    ([None], None, True),
    ([None], 0, False),
    ([True], True, True),
    ([0.1], 0.1, True),
    (["b"], ["a", "b"], True),
    (["c"], ["a", "b"], False),
    ([{"prefix": "ab"}], "abc", True),
    ([{"prefix": "b"}], "abc", False),
    ([{"prefix": {"equals-ignore-case": "AB"}}], "abc", True),
    ([{"suffix": "bc"}], "abc", True),
    ([{"suffix": {"equals-ignore-case": "BC"}}], "abc", True),
    ([{"equals-ignore-case": "ABC"}], "aBc", True),
    ([{"anything-but": "a"}], "b", True),
    ([{"anything-but": ["a", "b"]}], "b", False),
    ([{"anything-but": 5}], 5, False),
    ([{"anything-but": {"prefix": "a"}}], "b", True),
    ([{"anything-but": {"prefix": ["a", "b"]}}], "bc", False),
    ([{"anything-but": {"wildcard": "*x*"}}], "axb", False),
    ([{"numeric": [">", 100]}], 100, False),
    ([{"numeric": [">=", 100, "<", 200]}], 100, True),
    ([{"numeric": [">=", 100, "<", 200]}], 200, False),
    ([{"numeric": ["=", 0.3]}], "0.3", True),
    ([{"numeric": [">", 1]}], "two", False),
    ([{"numeric": [">", 0]}], True, False),
    ([{"exists": True}], None, True),
    ([{"exists": False}], "x", False),
    ([{"cidr": "10.0.0.0/8"}], "10.1.2.3", True),
    ([{"cidr": "10.0.0.0/8"}], "11.1.2.3", False),
    ([{"cidr": "2001:db8::/32"}], "2001:db8::1", True),
    ([{"cidr": "10.0.0.0/8"}], "nowhere", False),
    ([{"wildcard": "a*c"}], "abbc", True),
    ([{"wildcard": "a*c"}], "abcd", False),
    ([{"wildcard": "*b*b*"}], "ab", False),
    ([{"wildcard": "aba*aba"}], "aba", False),
    ([{"wildcard": r"a\*c"}], "a*c", True),
    ([{"wildcard": r"a\*c"}], "abc", False),
    (["x", {"prefix": "y"}], "yy", True),
]


@pytest.mark.parametrize(("wanted", "value", "expected"), CASES)
def test_what_an_operator_does_not_match_is_explained(
    make: Callable[..., Envelope], wanted: Any, value: Any, expected: bool
):
    found = Filter({"data": {"field": wanted}})
    event = make(data={"field": value})
    assert found.match(event) is expected
    assert bool(found.explain(event)) is not expected


def test_a_field_that_is_absent_is_matched_by_exists_false_alone(make: Callable[..., Envelope]):
    event = make(data={"other": 1})
    assert Filter({"data": {"field": [{"exists": False}]}}).match(event)
    for wanted in ("x", None, {"anything-but": "x"}, {"exists": True}, {"prefix": ""}):
        assert not Filter({"data": {"field": [wanted]}}).match(event)
    assert not Filter({"data": {"deep": {"deeper": ["x"]}}}).match(event)


def test_an_element_of_a_list_has_to_match_as_a_whole(make: Callable[..., Envelope]):
    event = make(data={"lines": [{"sku": "a", "n": 1}, {"sku": "b", "n": 5}]})
    assert Filter({"data": {"lines": {"sku": ["b"], "n": [5]}}}).match(event)
    apart = Filter({"data": {"lines": {"sku": ["a"], "n": [5]}}})
    assert not apart.match(event)
    assert len(apart.explain(event)) == 1


def test_or_and_attributes(make: Callable[..., Envelope]):
    pattern = {"type": [{"prefix": "shop."}], "$or": [{"data": {"n": [7]}}, {"partitionkey": ["o-9"]}]}
    assert Filter(pattern).match(make("o-9"))
    assert Filter(pattern).match(make(data={"n": 7}))
    misses = Filter(pattern).explain(make("o-1", data={"n": 8}))
    assert [miss.path for miss in misses] == ["data.n", "partitionkey"]
    assert str(misses[0]) == "data.n is 8; wanted one of [7]"


def test_data_is_read_only_when_asked_for(make: Callable[..., Envelope]):
    broken = make(data=b"{not json")
    assert Filter({"type": ["shop.OrderPlaced"], "subject": [{"exists": False}]}).match(broken)
    assert not Filter({"subject": ["data"]}).match(broken)
    with pytest.raises(FilterFailed, match="no JSON"):
        Filter({"data": {"n": [1]}}).match(broken)


@pytest.mark.parametrize(
    ("pattern", "reason"),
    [
        ({}, "empty"),
        ({"type": "x"}, "has to stand in a list"),
        ({"type": []}, "match nothing"),
        ({"data": {"n": [{"bigger": 1}]}}, "no operator 'bigger'"),
        ({"data": {"n": [{"prefix": "a", "suffix": "b"}]}}, "alone"),
        ({"data": {"n": [{"numeric": [">"]}]}}, "numeric takes"),
        ({"data": {"n": [{"numeric": ["!", 1]}]}}, "comparison"),
        ({"data": {"n": [{"numeric": [">", "1"]}]}}, "no number"),
        ({"data": {"n": [{"cidr": "10.0.0.0/99"}]}}, "data.n"),
        ({"data": {"n": [{"wildcard": "a**b"}]}}, "two"),
        ({"data": {"n": [{"exists": "yes"}]}}, "exists takes"),
        ({"data": {"n": [{"anything-but": []}]}}, "empty"),
        ({"$or": {}}, "list of patterns"),
    ],
)
def test_mistakes_are_told_when_it_is_made(pattern: Any, reason: str):
    with pytest.raises(FilterMalformed, match=reason):
        Filter(pattern)


values = st.sampled_from([None, True, False, 0, 1, 1.5, "a", "ab", "b", "1", "10.0.0.1"])
operators = st.one_of(
    values,
    st.sampled_from(["a", "b", ""]).map(lambda v: {"prefix": v}),
    st.sampled_from(["a", "b"]).map(lambda v: {"suffix": v}),
    st.lists(values, min_size=1, max_size=3).map(lambda v: {"anything-but": v}),
    st.booleans().map(lambda v: {"exists": v}),
    st.integers(-1, 2).map(lambda v: {"numeric": [">", v]}),
    st.sampled_from(["a*", "*b", "*"]).map(lambda v: {"wildcard": v}),
)
leaves = st.lists(operators, min_size=1, max_size=3)
patterns = st.recursive(
    st.dictionaries(st.sampled_from("xyz"), leaves, min_size=1, max_size=2),
    lambda inner: (
        st.dictionaries(st.sampled_from("xyz"), inner, min_size=1, max_size=2)
        | st.lists(inner, min_size=1, max_size=2).map(lambda v: {"$or": v})
    ),
    max_leaves=4,
)
documents = st.recursive(
    values,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from("xyz"), inner, max_size=3),
    max_leaves=8,
)


@given(pattern=patterns, document=documents)
def test_an_explanation_is_given_exactly_when_it_does_not_match(pattern: Any, document: Any):
    from datetime import UTC, datetime

    import msgspec

    event = Envelope(
        id="1",
        source="s",
        type="t",
        version="1.0",
        time=datetime.now(UTC),
        data=msgspec.json.encode(document),
    )
    found = Filter({"data": pattern})
    assert found.match(event) is not bool(found.explain(event))
    assert Filter.from_json(found.to_json()).match(event) is found.match(event)
