"""The tables in both READMEs are the committed reference result's; what they show exists."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from docs.generate import readme
from samestep.benchmarks import tasks


@pytest.mark.parametrize("page", readme.PAGES, ids=lambda page: page.name)
def test_the_tables_are_current(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    assert readme.updated(text) == text, "run: python -m docs.generate"


def test_the_section_shows_every_lane_with_its_proof() -> None:
    text = readme.section()
    for lane in ("numpy", "torch", "jax", "torch:compile", "jax:fused"):
        assert len(re.findall(rf"^\| {lane} \|.* [\d.]+% \|", text, flags=re.MULTILINE)) == len(readme.SHOWN)


@pytest.mark.parametrize("page", readme.PAGES, ids=lambda page: page.name)
def test_every_task_named_exists(page: Path) -> None:
    named = re.findall(r"--task ([\w-]+)", page.read_text(encoding="utf-8"))
    assert named
    assert set(named) <= set(tasks.names())


def test_both_readmes_show_the_same_commands() -> None:
    """The Chinese one may leave some out, and has none of its own."""
    english, chinese = (
        {line.partition("#")[0].strip() for line in re.findall(r"^\.venv/.*$", text, flags=re.MULTILINE)}
        for text in (page.read_text(encoding="utf-8") for page in readme.PAGES)
    )
    assert chinese <= english
    assert len(chinese) > 8
