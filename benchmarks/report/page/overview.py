"""What was found, and under which conditions: sentences that name lanes. No overall winner is ever named."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import NamedTuple

from ... import tasks
from ...analysis import RecordAnalysis
from ...analysis.crossover import SizeCell
from ...console.choices import counted
from ...record import AnyRecord
from .. import formatting as fmt
from ..glossary import listed
from ..sweep_tables import lead, runner_up
from .headline import MOST, headline


class Finding(NamedTuple):
    """What was found on a task, or over a grid of sizes, and what the task is about."""

    text: str
    meaning: str = ""


def findings(analysis: RecordAnalysis) -> list[Finding]:
    """A sentence for each task, or one over all sizes of a grid. They are never added up."""
    if analysis.crossover:
        return [Finding(over_sizes(analysis))]
    works = analysis.record.plan.works
    return [Finding(headline(analysis, work.task.name), tasks.meaning(work.task)) for work in works]


def title(analysis: RecordAnalysis) -> str:
    """How many lanes on what."""
    lanes = counted(len(analysis.lanes), "lane")
    if analysis.crossover:
        return f"{lanes} at {counted(len(analysis.tasks), 'size')}"
    names = listed(analysis.tasks) if len(analysis.tasks) <= MOST else f"{len(analysis.tasks)} tasks"
    return f"{lanes} on {names}"


def over_sizes(analysis: RecordAnalysis) -> str:
    """Which lanes are fastest alone at how many sizes of a grid, and at how many none is.

    Raises:
        ValueError: the record is not of a grid of sizes.
    """
    grid = analysis.crossover
    if grid is None:
        raise ValueError("the record is of no grid of sizes")
    if len(analysis.lanes) == 1:
        return f"Only {analysis.lanes[0]} raced, so that nothing was compared."
    cells = list(grid.sizes())
    alone = Counter(cell.fastest for cell in cells if cell.fastest and not cell.not_separated)
    level = sum(bool(cell.not_separated) for cell in cells)
    unknown = [cell for cell in cells if cell.fastest is None]
    counts = [
        f"{lane}{'' if index else ' is fastest alone'} at {count}{_leads(cells, lane, index == 0)}"
        for index, (lane, count) in enumerate(alone.most_common())
    ]
    counts += [f"two or more are not separated at {level}"] if level else []
    counts += [f"nothing can be said at {len(unknown)}{_for_want_of(unknown)}"] if unknown else []
    ends = (f"{grid.batches[end]:,} x {grid.features[end]:,}" for end in (0, -1))
    missing = list(analysis.record.plan.missing)
    absent = f" ({listed(missing)} did not)" if missing else ""
    sizes = f"at {counted(len(cells), 'size')} of a batch, {' to '.join(ends)} values"
    return f"Of the {len(analysis.lanes)} lanes that raced{absent}, {sizes}, {listed(counts)}."


def _leads(cells: Sequence[SizeCell], lane: str | None, whole: bool) -> str:
    """By how much a lane is ahead of the next one, from the least to the most."""
    leads = [
        (one.ratio.value, lead(cell))
        for cell in cells
        if cell.fastest == lane and (one := runner_up(cell)) and one.ratio
    ]
    if not leads:
        return ""
    ends = " to ".join(dict.fromkeys(text.rstrip("x") for _, text in (min(leads), max(leads))))
    return f" (the next lane takes {ends} times as long)" if whole else f" ({ends} times)"


def _for_want_of(cells: Sequence[SizeCell]) -> str:
    """Whose times are missing in cells without a fastest lane."""
    lanes = dict.fromkeys(lane for cell in cells for lane in cell.untested)
    return f" for want of enough times of {listed(list(lanes))}" if lanes else ""


def conditions(record: AnyRecord) -> str:
    """What this holds for, and no further."""
    plan, machine = record.plan, record.plan.environment
    dtypes = listed(sorted({work.task.dtype for work in plan.works}))
    threads = "on one core each" if plan.threads == "one" else "with each framework's own threads"
    blocks = f"{len(record.blocks)} block{'' if len(record.blocks) == 1 else 's'}"
    return (
        f"That holds for {dtypes} on {plan.device}, {threads}, over {blocks} of fresh processes on this host "
        f"({machine.cpu}, {fmt.processors(machine)}), this boot and these caches."
    )


def facts(analysis: RecordAnalysis) -> list[tuple[str, str]]:
    """What stands behind the sentences, as numbers with their names."""
    blocks = analysis.record.blocks
    proven = sum(row.proof == "pass" for row in analysis.rows)
    slices = sum(timed.kind == "race" for block in blocks for timed in block.slices)
    return [
        (
            f"{proven} of {len(analysis.rows)}",
            "certificates passed: lanes proven to do the same work, step by step",
        ),
        (f"{slices:,}", "timed slices, each checked for the proven parameters after its clock stopped"),
        (f"{len(blocks)}", f"blocks of fresh processes, effort {analysis.record.plan.effort.name}"),
        ("2%", "margin: what a ratio must exceed, at the 5% level, to count as a difference"),
    ]
