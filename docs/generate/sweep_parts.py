"""What comes from the committed sweeps: the fastest lanes, their times, what a step costs, and times by rows."""

from __future__ import annotations

from docs.generate.markdown import bullets, quoted
from samestep.benchmarks.analysis import RecordAnalysis
from samestep.benchmarks.analysis.row_scaling import row_scaling
from samestep.benchmarks.analysis.step_cost import step_costs
from samestep.benchmarks.record import AnyRecord
from samestep.benchmarks.report import sweep_tables as sweep
from samestep.benchmarks.report.page import overview
from samestep.benchmarks.report.text_table import markdown_rows


def of_grid(record: AnyRecord) -> dict[str, str]:
    """The parts of sizes.md that a grid of sizes gives.

    Raises:
        ValueError: the record is of no sweep.
    """
    analysis = RecordAnalysis(record)
    grid, costs = analysis.crossover, sweep.lines(step_costs(analysis))
    if grid is None:
        raise ValueError("the record is of no sweep")
    fastest = sweep.fastest(grid)
    ties = [note for note in fastest.notes if note != sweep.MAP_NOTE]
    misses = [note for note in costs.notes if note != sweep.LINE_NOTE]
    return {
        "summary": f"**{overview.over_sizes(analysis)}**",
        "map": "\n".join([markdown_rows(fastest), *bullets(ties)]),
        "times": markdown_rows(sweep.times_table(grid)).rstrip(),
        "cost": "\n".join([markdown_rows(costs), *bullets(misses)]),
        "scope": quoted(sweep.scope(analysis)),
    }


def of_rows(record: AnyRecord) -> dict[str, str]:
    """The parts of sizes.md that growing numbers of rows give.

    Raises:
        ValueError: the record is of no such sweep.
    """
    analysis = RecordAnalysis(record)
    scaling = row_scaling(analysis)
    if not scaling:
        raise ValueError("the record is of no sweep over numbers of rows")
    return {
        "row-times": markdown_rows(sweep.row_times(scaling)).rstrip(),
        "row-memory": markdown_rows(sweep.row_memory(scaling)).rstrip(),
        "row-scope": quoted(sweep.scope(analysis)),
    }
