"""Every relative link in the repository's Markdown leads to a file, and to a heading where it names one."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.helpers.paths import ROOT

DOCS = ROOT / "docs"
PAGES = sorted(
    [
        *ROOT.glob("*.md"),
        *DOCS.glob("*.md"),
        *(p for p in ROOT.glob("results/**/*.md") if "local" not in p.parts),
    ]
)
FENCE = re.compile(r"^```.*?^```", re.DOTALL | re.MULTILINE)
CODE = re.compile(r"`[^`\n]*`")
LINK = re.compile(r"!?\[[^\]]*\]\(<?([^)\s>]+)>?(?:\s+\"[^\"]*\")?\)")
ANCHOR = re.compile(r"<a (?:id|name)=\"([^\"]+)\"")


def prose(page: Path) -> str:
    """A page without its fenced blocks, where brackets mean something else."""
    return FENCE.sub("", page.read_text(encoding="utf-8"))


def links(page: Path) -> Iterator[str]:
    """Targets of a page's relative links."""
    for target in LINK.findall(CODE.sub("", prose(page))):
        if not re.match(r"[a-z][a-z+.-]*:", target):
            yield target


def headings(page: Path) -> set[str]:
    """The fragments that GitHub makes: lower case, punctuation dropped, spaces as hyphens, doubles numbered."""
    fragments, seen = set(ANCHOR.findall(prose(page))), Counter[str]()
    for title in re.findall(r"^#{1,6} (.+?)\s*#*$", prose(page), re.MULTILINE):
        plain = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", title)
        slug = re.sub(r"[^\w\- ]", "", plain.lower()).replace(" ", "-")
        fragments.add(f"{slug}-{seen[slug]}" if seen[slug] else slug)
        seen[slug] += 1
    return fragments


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_lead_somewhere(page: Path) -> None:
    for target in links(page):
        path, _, fragment = target.partition("#")
        place = (page.parent / path).resolve() if path else page
        assert place.exists(), f"{target}: no such file"
        assert place.is_relative_to(ROOT), f"{target} leads out of the repository"
        if fragment and place.suffix == ".md":
            assert fragment in headings(place), (
                f"{target}: no such heading; there are {sorted(headings(place))}"
            )


def test_every_page_of_the_documentation_is_listed_once() -> None:
    listed = Counter(
        re.findall(r"^\| \[\S+\]\((\S+)\)", (DOCS / "README.md").read_text(encoding="utf-8"), re.MULTILINE)
    )
    assert listed == Counter(page.name for page in DOCS.glob("*.md") if page.name != "README.md")


def test_contributing_names_places_that_exist() -> None:
    """Those of its tree, and every path in code type; a star stands for several files."""
    text = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
    tree = text.partition("```\n")[2].partition("\n```")[0]
    places = {*re.findall(r"[\w/*]+(?:/|\.py)(?=[ ,]|$)", tree, re.MULTILINE)}
    places |= {*re.findall(r"`([\w.*-]+/[\w./*-]*|[\w*.]+\.(?:md|toml|lock))`", text)}
    rooms = ("", "backends/", "benchmarks/", "benchmarks/parity/")
    assert len(places) > 40
    missing = [place for place in places if not any(any(ROOT.glob(room + place)) for room in rooms)]
    assert not missing


def test_headings_are_named_as_github_names_them(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text("# One: `two`, three\n## A/B\n## A/B\n```\n# no heading\n```\n## 什么是 *twin*？\n")
    assert headings(page) == {"one-two-three", "ab", "ab-1", "什么是-twin"}


def test_a_broken_link_is_found(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text("[a](b.md#c) `[no](x.md)` [web](https://example.org) ![i](d.png)\n```\n[no](y.md)\n```\n")
    assert list(links(page)) == ["b.md#c", "d.png"]
