"""The figures of a row under plain names, in SI units: what CSV holds."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable
from operator import attrgetter
from typing import TypeAlias

from ..analysis import RecordAnalysis, Row
from ..analysis.summary import summarize
from ..analysis.tier_rank import TierRanks as Marks
from ..console.escapes import visible
from ..record import Record


def as_csv(record: Record, *, baseline: str | None = None) -> str:
    """One line for each task and lane, plain numbers in SI units, blank where not measured."""
    rows, text = summarize(record, baseline=baseline), io.StringIO()
    columns = (
        *CSV,
        *_of_record(record, baseline or record.plan.baseline, RecordAnalysis(record, baseline).tier_ranks),
    )
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(name for name, _ in columns)
    for row in rows:
        values = (get(row) for _, get in columns)
        writer.writerow(visible(value) if isinstance(value, str) else value for value in values)
    return text.getvalue().rstrip("\n")


Get: TypeAlias = Callable[[Row], object]


def _same(*names: str) -> list[tuple[str, Get]]:
    """Columns named as the row has them."""
    return [(name, attrgetter(name)) for name in names]


def _ends(names: tuple[str, str, str], span: Get) -> list[tuple[str, Get]]:
    """An estimate and the ends of its interval."""

    def end(of: str) -> Get:
        return lambda row: (found := span(row)) and getattr(found, of)

    return [(name, end(of)) for name, of in zip(names, ("value", "low", "high"), strict=True)]


def _reached(*names: str) -> list[tuple[str, Get]]:
    """What training reached, as Accuracy names it."""

    def figure(name: str) -> Get:
        return lambda row: row.accuracy and getattr(row.accuracy, name)

    return [(name, figure(name)) for name in names]


STEP = ("seconds_per_step", "seconds_per_step_low", "seconds_per_step_high")
EVEN = ("break_even_steps", "break_even_low", "break_even_high")
CSV: tuple[tuple[str, Get], ...] = (
    *_same("task", "lane", "tier", "gradient", "buffers", "compiled"),
    ("verdict", attrgetter("verdict.word")),
    ("reason", lambda row: row.verdict.reason or row.blank),
    *_ends(STEP, attrgetter("time")),
    *_ends(("ratio", "ratio_low", "ratio_high"), attrgetter("verdict.ratio")),
    *_same("samples_per_second", "first_call_s", "import_s"),
    *_ends(EVEN, lambda row: row.break_even and row.break_even.steps),
    ("cpu_per_wall", attrgetter("cpu_per_wall")),
    ("peak_memory_bytes", attrgetter("peak_memory")),
    ("floor_s", attrgetter("floor")),
    *_same("above_floor", "parity_share"),
    *_reached("loss", "best_loss", "excess", "r_squared", "held_out_accuracy"),
    *_reached("loss_original_units", "rmse_original_units", "parameter_error"),
    ("proof", attrgetter("proof")),
    ("break_even_reason", lambda row: row.break_even and row.break_even.reason),
    ("exploratory", attrgetter("verdict.exploratory")),
)


def _of_record(record: Record, baseline: str, marks: Marks) -> list[tuple[str, Get]]:
    """What a row does not know itself: its standing in its tier, and what all of the record was measured with."""
    return [
        ("in_tier", lambda row: marks.get((row.task, row.lane))),
        ("baseline", lambda row: baseline),
        ("dtype", lambda row: record.work(row.task).task.dtype),
        ("threads", lambda row: record.plan.threads),
        ("device", lambda row: record.plan.device),
    ]
