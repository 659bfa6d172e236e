"""What both READMEs show exists; their table has every lane with its proof."""

from __future__ import annotations

import inspect
import re

import pytest

import samestep
from docs.generate.pages import REFERENCE, ROOT, parts
from docs.generate.picture import PICTURE
from samestep import backends, tasks
from samestep.benchmarks.analysis import RecordAnalysis
from samestep.benchmarks.record.files import load
from samestep.benchmarks.report import formatting as fmt

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
    block = re.findall(r"```python\n(.*?)```", PAGES[page], flags=re.DOTALL)[0]
    calls = re.findall(r"samestep\.(\w+)\((.*)\)(?: *#.*)?$", block, flags=re.MULTILINE)
    assert {name for name, _ in calls} == {"compare", "assert_same_step", "load"}
    own = {"samestep": samestep, "my_step": None, "x": None, "y": None}
    for name, arguments in calls:
        bind = inspect.signature(getattr(samestep, name)).bind
        bound = eval(f"bind({arguments})", {"bind": bind, **own}).arguments
        assert set(bound.get("lanes", [])) <= set(backends.names())
        assert set(bound.get("tasks", [])) <= set(tasks.names())


def test_the_picture_shows_the_ratios_of_the_table() -> None:
    """Its places depend on the machine's fonts; its figures are those of the reference result."""
    record = load(REFERENCE)
    texts = set(re.findall(r">([^<>\s][^<>]*)</text>", PICTURE.read_text(encoding="utf-8")))
    rows = RecordAnalysis(record).rows_of(record.tasks[0])
    ratios = {row.lane: fmt.ratio_parts(row.ratio).value for row in rows if row.ratio}
    shown = {text.partition(", ")[0] for text in texts}  # behind a ratio: how many times as fast that is
    assert {*ratios, *ratios.values()} <= shown
    fast = {
        f"{fmt.ratio_parts(fmt.inverse(claim)).value}x as fast"
        for row in rows
        if (claim := row.verdict.claim) and claim.high < 1
    }
    assert fast <= {text.partition(", ")[2] for text in texts}
