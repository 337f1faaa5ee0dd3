"""The reference pages are made from the code, and the code says enough to make them from."""

import functools
import inspect

import msgspec
import pytest

from docs import generate
from levada.deployment.configuration import Configuration

pages = functools.cache(generate.pages)


def made(name: str) -> str:
    return pages()[name]


@pytest.mark.parametrize(
    "name", ["errors.md", "configuration.md", "cli.md", "checks.md", "order-to-cash.svg"]
)
def test_a_page_is_up_to_date(name: str):
    assert (generate.REFERENCE / name).read_text() == made(name), "run `make docs` and commit the pages"


def test_the_help_of_every_verb_is_up_to_date():
    there = {path.name: path.read_text() for path in generate.HELP.iterdir()}
    assert there == generate.help_texts(), "run `make docs` and commit the texts"


def test_every_error_says_what_happened_and_what_to_do():
    wordless = [
        f"{code} {cls.__name__}"
        for code, cls in generate.error_classes().items()
        if not (cls.__dict__.get("__doc__") or "").strip()
    ]
    assert wordless == []


def test_every_error_says_more_than_its_placeholders():
    bare = [
        f"{code} {cls.__name__}"
        for code, cls in generate.error_classes().items()
        if inspect.cleandoc(cls.__doc__ or "") == "{place}: {reason} {mend}"
    ]
    assert bare == []


def test_every_error_stands_in_the_range_of_its_package():
    ranges = {
        "contract": ("LV11",), "app": ("LV12",), "store": ("LV13",), "events": ("LV14",), "process": ("LV15",),
        "connect": ("LV16",), "gateway": ("LV17",), "cli": ("LV18",), "landscape": ("LV19",), "testing": ("LV21",),
    }  # fmt: skip
    astray = [
        f"{code} {cls.__module__}"
        for code, cls in generate.error_classes().items()
        if (package := cls.__module__.split(".")[1]) in ranges and not code.startswith(ranges[package])
    ]
    assert astray == []


def test_every_field_of_the_configuration_is_explained():
    unexplained: list[str] = []
    for field in msgspec.structs.fields(Configuration):
        struct = generate._struct_of(field.type)
        if struct is not None:
            known = generate.field_docs(struct)
            unexplained += [f"[{field.name}] {f}" for f in struct.__struct_fields__ if not known.get(f)]
    assert unexplained == []
    assert "| obligatory |  |" not in made("configuration.md")
    assert "` |  |" not in made("configuration.md")
