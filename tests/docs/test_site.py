"""The site of docs/ is made without a warning, and needs nothing of anybody else's."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
ELSEWHERE = re.compile(r"""(?:src|href)=["']?(?:https?:)?//[^"'\s>]+""")
"""What a page would load from another host; a link that a reader follows stands in an ``<a``."""


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("site")
    made = subprocess.run(
        [sys.executable, "-m", "mkdocs", "build", "--strict", "--site-dir", str(folder)],
        cwd=ROOT, capture_output=True, text=True, timeout=100, env={**os.environ, "NO_MKDOCS_2_WARNING": "1"},
    )  # fmt: skip
    assert made.returncode == 0, made.stderr
    return folder


def test_every_page_is_in_the_site(site: Path):
    pages = {p.relative_to(ROOT / "docs").with_suffix(".html") for p in ROOT.glob("docs/**/*.md")}
    made = {p.relative_to(site) for p in site.rglob("*.html")}
    # GitHub and the site agree on what a folder's first page is.
    assert pages == made - {Path("404.html")}


def test_nothing_is_loaded_from_elsewhere(site: Path):
    found = [
        f"{page.name}: {tag}"
        for page in site.rglob("*.html")
        for tag in re.findall(r"<(?:script|link|img|iframe)\b[^>]*>", page.read_text())
        if ELSEWHERE.search(tag)
    ]
    assert found == []


def test_no_program_of_the_repository_gets_into_the_site(site: Path):
    assert [p.name for p in site.rglob("*.py")] == []


def test_each_rule_of_durability_that_the_code_names_stands_on_its_page():
    page = (ROOT / "docs/explanation/durability.md").read_text().partition("## The rules, by number")[2]
    stated = set(re.findall(r"^(\d+)\. \*\*", page, re.MULTILINE))
    cited = re.compile(r"durability, rules? (\d+)(?: and (\d+))?")
    named = {
        number
        for file in ROOT.glob("src/**/*.py")
        for pair in cited.findall(file.read_text())
        for number in pair
        if number
    }
    assert named
    assert named <= stated
