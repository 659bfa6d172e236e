"""What the tables of a sweep hold: the fastest lane at every size, and what a step costs each lane."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from ..analysis import RecordAnalysis
from ..analysis.crossover import Crossover, RankedLane, SizeCell
from ..analysis.row_scaling import RowScaling, row_scaling
from ..analysis.step_cost import StepCost, step_costs
from ..console.choices import counted
from ..statistics.inference import Interval
from . import formatting as fmt
from .glossary import listed
from .host_line import host_line
from .looks_line import looks_line
from .settings_lines import settings_lines
from .text_table import Section, TextDocument, TextTable
from .twin_words import with_twins

MAP_NOTE = (
    "The lane with the least time per step, by batch size (down) and features (across). +n: so many more lanes "
    "are not separated from it: no test decides at the 5% level that they take more than 2% longer. That is not "
    "to be equal, and an unstable lane is never separated. The fastest lane was picked with the data that it is "
    "tested with, so the tests are corrected for all pairs of a cell's lanes. After such a lane: "
    "its time over the fastest one's with its own interval, which is not corrected so and can lie beyond 2%."
)
LINE_NOTE = (
    "time per step = overhead + bytes / rate, fitted to the relative errors over all sizes; bytes: the batch and "
    "the parameters, moved once. ±: the standard error. Typical miss: by how much a size usually lies off the "
    "line; good up to 25%, rough up to a factor of 2, poor beyond, where two numbers do not describe the lane. "
    "Half overhead at: the bytes of a step of whose time half is overhead."
)
ROW_NOTE = (
    "Every run has a hundred steps of ten rows, drawn from all: sizes differ only in where these rows lie."
)
BEYOND_NOTE = (
    "The most that the process held in its first call, libraries included. Beyond the data: by how much that "
    "grows with each row, without the row itself; 0 where the data are there once."
)


def sweep_document(analysis: RecordAnalysis) -> TextDocument:
    """Of a grid the fastest lanes, their times and the lines; of numbers of rows times and memory."""
    if scaling := row_scaling(analysis):
        by_rows = [row_times(scaling), row_memory(scaling)]
        return TextDocument([Section("", [], by_rows)], scope(analysis))
    grid = analysis.crossover
    over_grid = [fastest(grid), times_table(grid)] if grid else []
    return TextDocument([Section("", [], [*over_grid, lines(step_costs(analysis))])], scope(analysis))


def scope(analysis: RecordAnalysis) -> list[str]:
    """What was measured, and what it holds for."""
    record, plan = analysis.record, analysis.record.plan
    machine, looks = plan.environment, looks_line(analysis)
    sentences = [
        f"{counted(len(record.blocks), 'block')} of fresh processes, interleaved{with_twins(record)}; a "
        f"lane without proof at a size has no time there. {plan.device}, threads {plan.threads}.",
        f"Measured {fmt.moment(plan.created)} at effort {plan.effort.name} on {machine.cpu}, "
        f"{fmt.processors(machine)}. It holds for this host, this boot and these caches.",
        *([looks] if looks else []),
        *host_line(record),
        *settings_lines(plan),
    ]
    return sentences + fmt.not_run_lines(plan.missing, plan.unsupported_pairs)


def fastest(grid: Crossover) -> TextTable:
    """The lane that is fastest at each size, with the number of those not separated from it."""
    table = _by_size("FASTEST LANE", grid, lambda cell: fastest_name(cell, "?"))
    table.notes.append(MAP_NOTE)
    table.notes += unknown_cells(grid)
    for cell in grid.sizes():
        if cell.not_separated:
            others = [_beside(lane) for lane in cell.entries if not lane.separated]
            table.notes.append(f"{cell.task}: {cell.fastest}, not separated from {listed(others)}")
    return table


def _beside(lane: RankedLane) -> str:
    """A lane that is not separated from the fastest: by its ratio to that one, or why there is none."""
    return f"{lane.lane} ({lane.reason})" if lane.reason else f"{lane.lane} {fmt.between(lane.ratio)}"


def unknown_cells(grid: Crossover) -> list[str]:
    """A line for each reason for which cells have no fastest lane."""
    cells: dict[str, list[str]] = {}
    for cell in grid.sizes():
        if cell.fastest is None:
            cells.setdefault(cell.reason, []).append(cell.task)
    return [f"{', '.join(names)}: not known: {reason}" for reason, names in cells.items()]


def runner_up(cell: SizeCell) -> RankedLane | None:
    """The lane next to one that is fastest alone; None where nothing can be said of it."""
    if not cell.fastest or cell.not_separated or len(cell.entries) < 2 or cell.entries[1].reason:
        return None
    return cell.entries[1]


def lead(cell: SizeCell) -> str:
    """How many times as long the next lane takes."""
    following = runner_up(cell)
    if not following or not following.ratio:
        return ""
    texts = fmt.ratio_parts(following.ratio).value, fmt.digits(following.ratio.value, 3)
    return f"{min(texts, key=len)}x"  # what its interval supports, and at most three digits


def times_table(grid: Crossover) -> TextTable:
    """The fastest lane's time per step at each size."""
    return _by_size(
        "ITS TIME PER STEP", grid, lambda cell: fmt.timing(cell.entries[0].time) if cell.fastest else "?"
    )


def _by_size(title: str, grid: Crossover, text: Callable[[SizeCell], str]) -> TextTable:
    names = [f"{count:,} feature{'s' if count > 1 else ''}" for count in grid.features]
    rows = [(f"batch {size:,}", *map(text, row)) for size, row in zip(grid.batches, grid.cells, strict=True)]
    return TextTable(title, ("", *names), rows, left=("",))


def fastest_name(cell: SizeCell, unknown: str) -> str:
    """The fastest lane of a cell, with the number of those not separated from it."""
    if cell.fastest is None:
        return unknown
    return f"{cell.fastest} +{len(cell.not_separated)}" if cell.not_separated else cell.fastest


def row_times(scaling: Sequence[RowScaling]) -> TextTable:
    """Time per step of every lane at every number of rows."""
    rows = [(lane.lane, *map(_marked_time, lane.times, lane.unstable)) for lane in scaling]
    return TextTable(
        "TIME PER STEP BY ROWS", ("lane", *_row_names(scaling)), rows, notes=[ROW_NOTE], left=("lane",)
    )


def _marked_time(time: Interval | None, unstable: bool) -> str:
    """A time, marked where nothing may be claimed of it."""
    return f"{fmt.timing(time)}, UNSTABLE" if time and unstable else fmt.timing(time)


def row_memory(scaling: Sequence[RowScaling]) -> TextTable:
    """Peak memory of every lane at every number of rows, and what it grows by beyond the data."""
    table = TextTable(
        "MEMORY BY ROWS",
        ("lane", *_row_names(scaling), "beyond the data"),
        notes=[BEYOND_NOTE],
        left=("lane",),
    )
    for lane in scaling:
        beyond = "" if lane.beyond is None else f"{round(lane.beyond, 1) + 0.0:.1f} B a row"  # no -0.0
        table.rows.append((lane.lane, *map(fmt.memory, lane.memory), beyond))
    return table


def _row_names(scaling: Sequence[RowScaling]) -> list[str]:
    return [f"{rows:,} rows" for rows in scaling[0].rows]


def lines(costs: Sequence[StepCost]) -> TextTable:
    """Overhead and rate of every lane."""
    names = ("lane", "sizes", "overhead per step", "rate", "half overhead at", "R²", "typical miss", "fit")
    table = TextTable("COST OF A STEP", names, notes=[LINE_NOTE], drops=("sizes", "R²"))
    for cost in costs:
        r_squared = "" if cost.r_squared is None else f"{cost.r_squared:.3f}"
        overhead = _with_error(cost.overhead, cost.overhead_error, fmt.duration)
        rate = _with_error(cost.rate, cost.rate_error, lambda value: fmt.quantity(value, "B/s"))
        half = "" if cost.half_overhead is None else fmt.quantity(cost.half_overhead, "B")
        quality = fmt.percent(cost.typical), cost.word
        table.rows.append((cost.lane, str(cost.sizes), overhead, rate, half, r_squared, *quality))
        table.notes += [f"{cost.lane}: {cost.reason}"] if cost.reason else []
    return table


def _with_error(value: float | None, error: float | None, text: Callable[[float], str]) -> str:
    """A value with its standard error in percent."""
    if not value:
        return ""
    return text(value) if error is None else f"{text(value)} ±{error / value:.0%}"
