"""Tables of a sweep: the fastest lane at every size, and what a step costs each lane. Pure."""

from __future__ import annotations

import textwrap
from collections.abc import Callable

from ..analysis import RecordAnalysis
from ..analysis.crossover import Crossover
from ..analysis.crossover import SizeCell as Cell
from ..analysis.step_cost import StepCost as Fit
from ..analysis.step_cost import step_costs
from ..record import Record
from . import formatting as fmt
from . import tables
from .glossary import listed
from .tables import Table
from .tables import _escape as escape

MAP_NOTE = (
    "The lane with the least time per step, by batch size (down) and features (across). +n: so many more lanes "
    "are tied with it: not surely more than 2% slower (one that was unstable: not surely more than twice as "
    "slow). The fastest lane was picked with the data that it is tested with, so the tests are corrected for all "
    "pairs of a cell's lanes. After a tied lane: its time over the fastest one's with its own 95% "
    "interval, which is not corrected so and can lie beyond 2%."
)
LINE_NOTE = (
    "time per step = overhead + bytes / rate, fitted to the relative errors over all sizes; bytes: the batch and "
    "the parameters, moved once. ±: the standard error. Typical miss: by how much a size usually lies off the "
    "line; good up to 25%, rough up to a factor of 2, poor beyond, where two numbers do not describe the lane."
)


def render(record: Record, format: str, *, baseline: str | None = None) -> str:
    """The tables of a record in one of `tables.FORMATS`; of a grid of sizes the map and the lines come first.

    CSV has a line for each size and lane, and no map.

    Raises:
        InputError: an unknown format, or a baseline that is not a lane of the record.
    """
    grid = RecordAnalysis(record).crossover is not None
    if grid and format == "html":
        return tables.as_html(record, baseline=baseline, over_all=parts_of(record))
    rest = tables.render(record, format, baseline=baseline)
    first = {"rich": plain, "markdown": markdown}.get(format)
    return f"{first(record)}\n\n{rest}" if first and grid else rest


def plain(record: Record, *, width: int = 100) -> str:
    """The map and the lines for a terminal; for a record without a map, the lines alone."""
    parts = []
    for table in parts_of(record):
        parts += [tables.boxed(table, width), *tables.notes(table, width), ""]
    return "\n".join([*parts, *(textwrap.fill(line, width) for line in scope(record))])


def markdown(record: Record) -> str:
    """The same for GitHub, everything from the record escaped."""
    parts = []
    for table in parts_of(record):
        parts += [f"**{escape(table.title)}**\n", tables.markdown_rows(table)]
        parts += [*(f"- {escape(note)}" for note in table.notes), ""]
    return "\n".join([*parts, *(escape(line) for line in scope(record))]) + "\n"


def parts_of(record: Record) -> list[Table]:
    """The fastest lanes and their times, where the record is a grid, and the lines."""
    found = RecordAnalysis(record).crossover
    return [*([fastest(found), times(found)] if found else []), lines(step_costs(RecordAnalysis(record)))]


def scope(record: Record) -> list[str]:
    """What was measured, and what it holds for."""
    plan, machine = record.plan, record.plan.environment
    known = [
        f"{len(record.blocks)} blocks of fresh processes, interleaved, with an identical twin in every race; a "
        f"lane without proof at a size has no time there. {plan.device}, threads {plan.threads}.",
        f"Measured {fmt.moment(plan.created)} at effort {plan.effort.name} on {machine.cpu}, {machine.cores} "
        "cores. It holds for this host, this boot and these caches.",
    ]
    return known + [f"Not run here: {lane}: {reason}" for lane, reason in plan.missing.items()]


def absent(record: Record) -> str:
    """Which lanes did not race, in a sentence of its own, or nothing."""
    missing = list(record.plan.missing)
    return f" Not in the race: {listed(missing)}." if missing else ""


def fastest(found: Crossover) -> Table:
    """The lane that is fastest at each size, with the number of those tied with it."""
    table = _grid("FASTEST LANE", found, _name)
    table.notes.append(MAP_NOTE)
    for cell in (cell for row in found.cells for cell in row):
        if cell.fastest is None:
            table.notes.append(f"{cell.task}: not known: {cell.reason}")
        elif cell.tied:
            tied = (entry for entry in cell.entries if entry.tied)
            told = listed([f"{entry.lane} {fmt.between(entry.ratio)}".rstrip() for entry in tied])
            table.notes.append(f"{cell.task}: {cell.fastest}, tied with {told}")
    return table


def times(found: Crossover) -> Table:
    """The fastest lane's time per step at each size."""
    return _grid(
        "ITS TIME PER STEP", found, lambda cell: fmt.timing(cell.entries[0].time) if cell.fastest else "?"
    )


def _grid(title: str, found: Crossover, text: Callable[[Cell], str]) -> Table:
    names = [f"{count:,} feature{'s' if count > 1 else ''}" for count in found.features]
    rows = [
        (f"batch {size:,}", *map(text, row)) for size, row in zip(found.batches, found.cells, strict=True)
    ]
    return Table(title, ("", *names), rows)


def _name(cell: Cell) -> str:
    if cell.fastest is None:
        return "?"
    return f"{cell.fastest} +{len(cell.tied)}" if cell.tied else cell.fastest


def lines(found: tuple[Fit, ...]) -> Table:
    """Overhead and rate of every lane."""
    names = ("lane", "sizes", "overhead per step", "rate", "R²", "typical miss", "fit")
    table = Table("COST OF A STEP", names, [], [LINE_NOTE])
    for fit in found:
        shown = [fmt.percent(fit.typical), fit.word]
        r_squared = "" if fit.r_squared is None else f"{fit.r_squared:.3f}"
        table.rows.append((fit.lane, str(fit.sizes), overhead(fit), rate(fit), r_squared, *shown))
        table.notes += [f"{fit.lane}: {fit.reason}"] if fit.reason else []
    return table


def overhead(fit: Fit) -> str:
    """Seconds with the standard error in percent."""
    return _with_error(fit.overhead, fit.overhead_error, fmt.duration)


def rate(fit: Fit) -> str:
    """Bytes per second with the standard error in percent."""
    return _with_error(fit.rate, fit.rate_error, lambda value: f"{fmt.count(value)}B/s")


def _with_error(value: float | None, error: float | None, text: Callable[[float], str]) -> str:
    if not value:
        return ""
    return text(value) if error is None else f"{text(value)} ±{error / value:.0%}"
