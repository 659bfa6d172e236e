"""The pages: every Python block runs, in order, and prints what stands below it; generated parts are current."""

from __future__ import annotations

import contextlib
import io
import re
from dataclasses import fields
from pathlib import Path
from typing import get_args

import pytest

from docs.generate import pages
from docs.generate.markdown import fill
from docs.generate.reference_parts import Reference
from samestep import Traits, backends
from samestep.benchmarks.analysis import RecordAnalysis
from samestep.benchmarks.analysis.verdicts import VerdictWord
from samestep.benchmarks.record.files import load
from samestep.benchmarks.record.measurements import PHASES
from samestep.benchmarks.report import tables

DOCS = pages.ROOT / "docs"
BLOCK = re.compile(r"```python\n(.*?)```\n(?:```text\n(.*?)```\n)?", re.DOTALL)
ELSEWHERE = {"rosetta.md": "test_rosetta.py"}  # pages whose blocks another module runs
FRAMEWORKS = ("numpy", "torch", "jax")


def blocks(page: str) -> list[tuple[str, str]]:
    """The code of every Python block, and the output that stands below it."""
    return BLOCK.findall((DOCS / page).read_text(encoding="utf-8"))


RUN = [path.name for path in sorted(DOCS.glob("*.md")) if path.name not in ELSEWHERE and blocks(path.name)]


@pytest.mark.slow
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
    assert {"tutorial.md", "porting.md", "new-lane.md", "record.md"} <= set(RUN)
    assert len(blocks("porting.md")) >= 7
    assert all((Path(__file__).parent / module).exists() for module in ELSEWHERE.values())


# --- generated parts ------------------------------------------------------------------------------------------


def test_the_generated_parts_are_current() -> None:
    stale = [page.name for page, text in pages.pages().items() if page.read_text(encoding="utf-8") != text]
    assert not stale, "run: make docs"


def test_every_marker_of_a_page_is_filled() -> None:
    generated = pages.parts()
    for page in (*DOCS.glob("*.md"), *pages.ROOT.glob("*.md")):
        markers = re.findall(r"^<!-- (.+): begin -->$", page.read_text(encoding="utf-8"), re.MULTILINE)
        assert set(markers) == set(generated.get(str(page.relative_to(pages.ROOT)), {}))


@pytest.mark.parametrize("page", ["", "<!-- a: begin --><!-- a: end -->" * 2])
def test_a_marker_must_be_there_once(page: str) -> None:
    with pytest.raises(ValueError, match="once"):
        fill(page, {"a": "text"})


# --- docs/table.md explains all there is ----------------------------------------------------------------------


def explained(column: int = 0) -> set[str]:
    """The words in code type in the first cells of the page's tables."""
    text = (DOCS / "table.md").read_text(encoding="utf-8")
    cells = [line.split(" | ")[column] for line in text.splitlines() if line.startswith("| `")]
    return {word for cell in cells for word in re.findall(r"`([^`]+)`", cell)}


def test_every_column_is_explained() -> None:
    record = load(pages.REFERENCE)
    lanes = RecordAnalysis(record).of_task(record.tasks[0])
    columns = {
        name for table in (tables.speed, tables.cost, tables.accuracy_table) for name in table(lanes).columns
    }
    assert (
        columns | set(PHASES) | {"sum", "sum/race", "all data to device", "held-out accuracy"} <= explained()
    )


def test_every_verdict_is_explained() -> None:
    assert {word.lower() for word in get_args(VerdictWord)} <= {word.lower() for word in explained()}


def test_every_tier_of_a_lane_is_explained() -> None:
    reference = Reference(load(pages.REFERENCE))
    assert all(f"`{lane}`" in reference.tiers() for lane in reference.record.plan.lanes)


def test_every_trait_of_a_lane_is_explained() -> None:
    text = (DOCS / "new-lane.md").read_text(encoding="utf-8")
    assert set(re.findall(r"`traits\.(\w+)`", text)) == {field.name for field in fields(Traits)}
