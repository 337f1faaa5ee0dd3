"""Which workloads a Kubernetes selector means, and what finding them costs."""

from __future__ import annotations

from collections.abc import ItemsView

from hypothesis import given
from hypothesis import strategies as st

from levada.landscape.importers._selectors import Selected

LABELS = st.dictionaries(st.sampled_from("abc"), st.sampled_from("xy"))
WORKLOADS = st.dictionaries(st.tuples(st.sampled_from(["n", "m"]), st.sampled_from("12345")), LABELS)


@given(WORKLOADS, LABELS)
def test_those_with_all_of_the_labels(
    workloads: dict[tuple[str, str], dict[str, str]], selector: dict[str, str]
) -> None:
    expected = [
        w for (ns, w), own in workloads.items() if ns == "n" and selector and selector.items() <= own.items()
    ]
    assert Selected(workloads)("n", selector) == expected


def test_not_each_workload_is_looked_at_for_each_service() -> None:
    looks = 0

    class Labels(dict[str, str]):
        def items(self) -> ItemsView[str, str]:  # pyright: ignore[reportIncompatibleMethodOverride]
            nonlocal looks
            looks += 1
            return super().items()  # pyright: ignore[reportReturnType]

    names = [f"s{n}" for n in range(200)]
    selected = Selected({("n", name): Labels(app=name, tier="backend") for name in names})
    assert [selected("n", {"tier": "backend", "app": name}) for name in names] == [[name] for name in names]
    assert looks <= 2 * len(names)
