"""Every column of a lane's figures, defined once: for the terminal, Markdown, CSV, HTML and the page.

A new column is one entry of COLUMNS, and its name in the group that shows it.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple, TypeAlias

from ..analysis import LaneAnalysis, Row
from ..analysis.rows import TIMELESS
from ..statistics.inference import Interval
from . import formatting as fmt
from .glossary import shown

Reason: TypeAlias = Callable[[Row], str]


class ColumnCell(NamedTuple):
    """What a cell shows: a text, the very figure of the analysis, and the reason where there is no figure."""

    text: str
    value: float | str | None
    why: str


# --- texts, and reasons of blanks -----------------------------------------------------------------


def no_time(row: Row) -> str:
    """Why a lane has no time, in a word or two; the notes say more."""
    word = row.verdict.word
    return "" if row.time else word.lower() if word in TIMELESS else "no block finished"


def _or(reason: str) -> Reason:
    return lambda row: no_time(row) or reason


def _no_ratio(row: Row) -> str:
    return (
        "is the baseline" if row.verdict.word == "BASELINE" else no_time(row) or _no_claim(row) or "no ratio"
    )


def _no_claim(row: Row) -> str:
    return "no claim" if row.is_unstable else ""


def _no_fastest(row: Row) -> str:
    return no_time(row) or _no_claim(row) or "fastest unknown"


def _no_break_even(row: Row) -> str:
    if row.break_even:
        return row.break_even.reason
    if row.verdict.word == "BASELINE":
        return "is the baseline"
    return no_time(row) or _no_claim(row) or ("no first call" if row.ratio else "no ratio")


def _no_bound(row: Row) -> str:
    return "no certificate" if row.proof == "not run" else "no step judged"


def _not_reached(reason: str) -> Reason:
    """Blank where the row has no accuracy at all, or where its task has no figure of this kind."""
    return lambda row: reason if row.accuracy else "not proven"


def _not_started(row: Row) -> str:
    return "did not start"


def _break_even(steps: Interval | None, row: Row) -> str:
    even = row.break_even
    return "" if even is None else fmt.steps(steps) or even.kind


def _how(gradient: str, row: Row) -> str:
    compiled = "" if row.compiled in ("", "no") else f", compiled {row.compiled}"
    return f"{gradient}, {row.buffers}{compiled}" if gradient else ""


def _samples(per_second: float | None, row: Row) -> str:
    return fmt.count(per_second, fmt.width(per_second, row.time))


def _no_floor(row: Row) -> str:
    return no_time(row) or row.no_floor


def _times(times: float | None, row: Row) -> str:
    return fmt.times(times, fmt.width(times, row.time))


def _proof(status: str, row: Row) -> str:
    return {"pass": "proven", "fail": "NOT PROVEN"}.get(status, status)


def _instructions(count: float | None) -> str:
    return "" if count is None else fmt.count(count)


def _decimals(places: int) -> Callable[[float | None, Row], str]:
    return lambda value, row: "" if value is None else f"{value:.{places}f}"


def _as(text: Callable[[Any], str]) -> Callable[[Any, Row], str]:
    """The text of the figure alone."""
    return lambda value, row: text(value)


# --- the columns ----------------------------------------------------------------------------------


@dataclass(frozen=True)
class Column:
    """A column: its name in CSV, where its figure is in a LaneAnalysis, and its heading elsewhere.

    `text` is what people read, by default the figure itself; `why` the reason of a blank. An interval has two
    columns more in CSV, named by `ends`. `left`: flush left. `prose`: a terminal may wrap it.
    `ranked`: the lane's rank in its tier is marked behind it. `in_csv`: False for a text that only people read.
    """

    name: str
    path: str
    heading: str = ""
    text: Callable[[Any, Row], str] = lambda value, row: "" if value is None else str(value)
    why: Reason = no_time
    ends: tuple[str, str] | None = None
    left: bool = False
    prose: bool = False
    ranked: bool = False
    in_csv: bool = True

    def figure(self, lane: LaneAnalysis) -> Any:
        """The figure in SI units; None where a part of the path is None."""
        figure: Any = lane
        for name in self.path.split("."):
            figure = None if figure is None else getattr(figure, name)
        return figure

    def cell(self, lane: LaneAnalysis) -> ColumnCell:
        """The cell of a lane."""
        figure = self.figure(lane)
        value = figure.value if isinstance(figure, Interval) else None if figure == "" else figure
        return ColumnCell(self.text(figure, lane.row), value, self.why(lane.row) if value is None else "")

    def csv_names(self) -> tuple[str, ...]:
        """The names of its columns in CSV."""
        return (self.name, *(self.ends or ())) if self.in_csv else ()

    def csv_values(self, lane: LaneAnalysis) -> tuple[object, ...]:
        """The values of its columns in CSV."""
        if not self.in_csv:
            return ()
        figure = self.figure(lane)
        if self.ends:
            return _interval_values(figure)
        return (figure,)


def _interval_values(span: Interval | None) -> tuple[float | None, float | None, float | None]:
    """An estimate and the ends of its interval; blanks for ends that are unknown or infinite."""
    if span is None:
        return None, None, None
    if math.isfinite(span.high):
        return span.value, span.low, span.high
    return span.value, span.low or None, None


_ENTRIES = (  # in the order of CSV
    Column("task", "task", "task", left=True),
    Column("lane", "lane", "lane", left=True),
    Column("tier", "row.tier", "tier", why=_not_started, left=True),
    Column("gradient", "row.gradient"),
    Column("buffers", "row.buffers"),
    Column("compiled", "row.compiled"),
    Column("how", "row.gradient", "how", _how, _not_started, left=True, prose=True, in_csv=False),
    Column("verdict", "row.verdict.word", "verdict", _as(shown), left=True),
    Column("reason", "row.reason"),
    Column("seconds_per_step", "row.time", "time/step", _as(fmt.timing),
           ends=("seconds_per_step_low", "seconds_per_step_high"), ranked=True),
    Column("ratio", "row.verdict.ratio", "time/baseline", _as(fmt.between), _no_ratio,
           ("ratio_low", "ratio_high")),
    Column("samples_per_second", "row.samples_per_second", "samples/s", _samples),
    Column("first_call_s", "row.first_call_s", "first call", _as(fmt.duration), _or("no cold call")),
    Column("import_s", "row.import_s", "import", _as(fmt.duration), _or("no cold call")),
    Column("break_even_steps", "row.break_even.steps", "break-even steps", _break_even, _no_break_even,
           ("break_even_low", "break_even_high")),
    Column("cpu_per_wall", "row.cpu_per_wall", "CPU/wall", _decimals(2)),
    Column("peak_memory_bytes", "row.peak_memory", "memory", _as(fmt.memory), _or("no cold call")),
    Column("instructions_per_step", "instructions_per_step", "instr./step", _as(_instructions),
           _or("nobody counts instructions here")),
    Column("floor_s", "row.floor", "floor", _as(fmt.duration), _no_floor),
    Column("above_floor", "row.above_floor", "over floor", _times, _no_floor),
    Column("over_fastest", "row.over_fastest", "over fastest", _times, _no_fastest),
    Column("parity_share", "row.parity_share", "bound used", _as(fmt.percent), _no_bound),
    Column("loss", "row.accuracy.loss", "loss", _as(fmt.loss), _not_reached("")),
    Column("best_loss", "row.accuracy.best_loss"),
    Column("excess", "row.accuracy.excess", "above exact", _as(fmt.small), _not_reached("no exact solution")),
    Column("r_squared", "row.accuracy.r_squared", "held-out R²", _decimals(6),
           _not_reached("classes, or no variance held out")),
    Column("held_out_accuracy", "row.accuracy.held_out_accuracy", "held-out accuracy", _decimals(6),
           _not_reached("no classes")),
    Column("loss_original_units", "row.accuracy.loss_original_units"),
    Column("rmse_original_units", "row.accuracy.rmse_original_units", "rmse, own units", _as(fmt.small),
           _not_reached("classes have no units")),
    Column("parameter_error", "row.accuracy.parameter_error"),
    Column("proof", "row.proof", "parity", _proof, left=True),
    Column("break_even_reason", "row.break_even.reason"),
    Column("exploratory", "row.verdict.exploratory"),
    Column("in_tier", "tier_rank"),
    Column("baseline", "baseline.lane"),
    Column("dtype", "work.task.dtype"),
    Column("threads", "record.plan.threads"),
    Column("device", "record.plan.device"),
)  # fmt: skip
COLUMNS: Mapping[str, Column] = {column.name: column for column in _ENTRIES}

DROPS = (  # what a terminal has no room for, the first of them first
    "how",
    "above_floor",
    "over_fastest",
    "samples_per_second",
    "instructions_per_step",
    "peak_memory_bytes",
    "cpu_per_wall",
    "import_s",
    "tier",
    "rmse_original_units",
    "r_squared",
    "held_out_accuracy",
    "excess",
    "loss",
)

SPEED = (
    "tier",
    "seconds_per_step",
    "ratio",
    "verdict",
    "samples_per_second",
    "over_fastest",
    "above_floor",
)
COST = (
    "how",
    "first_call_s",
    "break_even_steps",
    "import_s",
    "cpu_per_wall",
    "peak_memory_bytes",
    "instructions_per_step",
)
ACCURACY = (
    "proof",
    "parity_share",
    "loss",
    "excess",
    "held_out_accuracy",
    "r_squared",
    "rmse_original_units",
)
