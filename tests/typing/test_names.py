"""What a user may import from ``levada`` is a list that only grows."""

import levada

NAMES = [
    "FORGOTTEN",
    "Agent",
    "App",
    "Awaits",
    "Caller",
    "Event",
    "ExperienceAPI",
    "Mobile",
    "OrderKey",
    "Page",
    "Partner",
    "Personal",
    "Problem",
    "ProcessAPI",
    "Protect",
    "Publishes",
    "Remote",
    "Settings",
    "SystemAPI",
    "blocking",
    "coalesced",
    "current",
    "effect",
    "handles",
    "http",
    "named",
    "resource",
    "run",
    "undoes",
    "upcaster",
]


def test_the_names_of_levada():
    assert levada.__all__ == NAMES
    assert {*dir(levada)} == {*NAMES, "__version__"}


def test_every_name_is_there_and_documented():
    for name in NAMES:
        assert getattr(levada, name).__doc__, name
