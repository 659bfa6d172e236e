"""What both READMEs show exists; their table has every lane with its proof."""

from __future__ import annotations

import inspect
import re

import pytest

import samestep
from docs.generate.pages import ROOT, parts
from samestep import backends, tasks

PAGES = {name: (ROOT / name).read_text(encoding="utf-8") for name in ("README.md", "README.zh.md")}


def test_the_table_shows_every_lane_with_its_proof() -> None:
    table = parts()["README.md"]["table"]
    for lane in ("numpy", "torch", "jax", "torch:compile", "jax:fused"):
        assert len(re.findall(rf"^\| {lane} \|.* [\d.]+% \|", table, flags=re.MULTILINE)) == 1


@pytest.mark.parametrize("page", PAGES)
def test_every_task_that_is_named_exists(page: str) -> None:
    named = re.findall(r"--task ([\w-]+)", PAGES[page])
    assert named
    assert set(named) <= set(tasks.names())


def test_both_readmes_show_the_same_commands() -> None:
    """The Chinese one may leave some out, and has none of its own."""
    english, chinese = (
        {line.partition("#")[0].strip() for line in re.findall(r"^\.venv/.*$", text, flags=re.MULTILINE)}
        for text in PAGES.values()
    )
    assert chinese <= english
    assert len(chinese) > 8


@pytest.mark.parametrize("page", PAGES)
def test_the_python_that_is_shown_can_be_called_so(page: str) -> None:
    calls = re.findall(r"samestep\.(\w+)\((.*)\)$", PAGES[page], flags=re.MULTILINE)
    assert {name for name, _ in calls} == {"compare", "load"}
    for name, arguments in calls:
        bound = eval(
            f"bind({arguments})", {"bind": inspect.signature(getattr(samestep, name)).bind}
        ).arguments
        assert set(bound.get("lanes", [])) <= set(backends.names())
        assert set(bound.get("tasks", [])) <= set(tasks.names())
