"""The pages: every Python block runs, in order, and prints what stands below it; generated parts are current."""

from __future__ import annotations

import contextlib
import io
import re
from pathlib import Path
from typing import get_args

import pytest

from docs.generate import pages
from samestep import backends
from samestep.benchmarks.analysis.summary import summarize
from samestep.benchmarks.analysis.verdicts import Word
from samestep.benchmarks.measure.phases import PHASES
from samestep.benchmarks.record.files import load
from samestep.benchmarks.report import tables

DOCS = pages.DOCS
BLOCK = re.compile(r"```python\n(.*?)```\n(?:```text\n(.*?)```\n)?", re.DOTALL)
ELSEWHERE = {  # pages whose blocks another module runs
    "rosetta.md": "test_rosetta.py",
    "record.md": "test_record_page.py",
}
FRAMEWORKS = ("numpy", "torch", "jax")


def blocks(page: str) -> list[tuple[str, str]]:
    """The code of every Python block, and what is said to be printed."""
    return BLOCK.findall((DOCS / page).read_text(encoding="utf-8"))


RUN = [path.name for path in sorted(DOCS.glob("*.md")) if path.name not in ELSEWHERE and blocks(path.name)]


@pytest.mark.skipif(
    any(backends.missing(name) for name in FRAMEWORKS), reason="the pages use all three frameworks"
)
@pytest.mark.parametrize("page", RUN)
def test_a_page_does_what_it_says(page: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "results").symlink_to(pages.ROOT / "results")
    names: dict[str, object] = {"__name__": page}
    for number, (code, wanted) in enumerate(blocks(page), 1):
        printed = io.StringIO()
        with contextlib.redirect_stdout(printed):
            exec(compile(code, f"docs/{page}, block {number}", "exec"), names)
        assert printed.getvalue() == wanted, f"block {number} of {page}"


def test_the_pages_with_code_are_found() -> None:
    assert {"tutorial.md", "porting.md", "lanes.md"} <= set(RUN)
    assert len(blocks("porting.md")) >= 7
    assert all((Path(__file__).parent / module).exists() for module in ELSEWHERE.values())


# --- generated parts ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("page", "parts"), pages.sections().items(), ids=lambda each: str(each)[:9])
def test_the_generated_parts_are_current(page: str, parts: dict[str, str]) -> None:
    text = (DOCS / page).read_text(encoding="utf-8")
    for part in parts:
        assert [text.count(f"<!-- {part}: {end} -->") for end in ("begin", "end")] == [1, 1], part
    assert pages.updated(page, text) == text, "run: python -m docs.generate"


# --- docs/table.md explains all there is ----------------------------------------------------------------------


def explained(column: int = 0) -> set[str]:
    """The words in code type in the first cells of the page's tables."""
    text = (DOCS / "table.md").read_text(encoding="utf-8")
    cells = [line.split(" | ")[column] for line in text.splitlines() if line.startswith("| `")]
    return {word for cell in cells for word in re.findall(r"`([^`]+)`", cell)}


def test_every_column_is_explained() -> None:
    record = load(pages.REFERENCE)
    rows = [row for row in summarize(record) if row.task == record.tasks[0]]
    found = {name for table in (tables.speed, tables.cost, tables.accuracy) for name in table(rows).columns}
    assert found | set(PHASES) | {"sum", "sum/race", "all data to device", "held-out accuracy"} <= explained()


def test_every_verdict_is_explained() -> None:
    assert {word.lower() for word in get_args(Word)} <= {word.lower() for word in explained()}


def test_every_tier_of_a_lane_is_explained() -> None:
    text = pages.tiers(summarize(load(pages.REFERENCE)))
    assert all(f"`{lane}`" in text for lane in load(pages.REFERENCE).plan.lanes)
