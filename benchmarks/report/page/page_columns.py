"""The columns of the page's table: a text for people, a number to sort by, or the reason of a blank."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

from ...analysis.rows import TIMELESS, Row
from ...analysis.tier_rank import TierRanks as Marks
from .. import formatting as fmt


class Cell(NamedTuple):
    """What a cell shows; `value` is the very figure of the summary, `why` the reason of a blank."""

    text: str
    value: float | str | None = None
    why: str = ""


class Column(NamedTuple):
    """A name, the group of columns it belongs to, and how a row fills it."""

    name: str
    group: str
    cell: Callable[[Row], Cell]
    word: bool = False


def _time(row: Row) -> Cell:
    return Cell(fmt.timing(row.time), row.time.value if row.time else None, no_time(row))


def _ratio(row: Row) -> Cell:
    why = "is the baseline" if row.verdict.word == "BASELINE" else no_time(row) or "no ratio"
    ratio = row.verdict.ratio
    return Cell(fmt.between(ratio), ratio.value if ratio else None, why)


def no_time(row: Row) -> str:
    """Why a lane has no time, in a word or two; the notes say more."""
    word = row.verdict.word
    return "" if row.time else word.lower() if word in TIMELESS else "no block finished"


def _verdict(row: Row) -> Cell:
    return Cell(row.verdict.word, row.verdict.word)


def _how(row: Row) -> Cell:
    if not row.gradient:
        return Cell("", None, "did not start")
    compiled = "not compiled" if row.compiled in ("", "no") else f"compiled {row.compiled}"
    text = f"gradients {row.gradient}; {row.buffers} buffers; {compiled}"
    return Cell(text, text)


def _tier(row: Row) -> Cell:
    return Cell(row.tier or "", row.tier, "did not start")


def _samples(row: Row) -> Cell:
    value = row.samples_per_second
    return Cell(fmt.count(value, fmt.width(value, row.time)), value, no_time(row))


def _above_floor(row: Row) -> Cell:
    value = row.above_floor
    text = fmt.times(value, fmt.width(value, row.time))
    return Cell(text, value, no_time(row) or "limits not measured")


def _floor(row: Row) -> Cell:
    return Cell(fmt.duration(row.floor), row.floor, no_time(row) or "limits not measured")


def _even(row: Row) -> Cell:
    even = row.break_even
    if even is None:
        return Cell(
            "", None, "is the baseline" if row.verdict.word == "BASELINE" else no_time(row) or "no first call"
        )
    if even.steps is None:
        return Cell("", None, even.reason)
    return Cell(fmt.steps(even.steps), even.steps.value)


def _used(row: Row) -> Cell:
    return Cell("" if row.cpu_per_wall is None else f"{row.cpu_per_wall:.2f}", row.cpu_per_wall, no_time(row))


def _cold(text: Callable[[Row], str], value: Callable[[Row], float | None]) -> Callable[[Row], Cell]:
    return lambda row: Cell(text(row), value(row), no_time(row) or "no cold call")


def _bound(row: Row) -> Cell:
    share = row.parity_share
    return Cell(fmt.percent(share), share, "no certificate" if row.proof == "not run" else "no step judged")


def _proof(row: Row) -> Cell:
    text = {"pass": "proven", "fail": "NOT PROVEN"}.get(row.proof, row.proof)
    return Cell(text, text)


def _reached(name: str, why: str, text: Callable[[float | None], str] = fmt.small) -> Callable[[Row], Cell]:
    """A figure of Accuracy; blank where the row has none at all, or where the task has none of this kind."""

    def cell(row: Row) -> Cell:
        value: float | None = getattr(row.accuracy, name, None)
        return Cell(text(value), value, why if row.accuracy else "not proven")

    return cell


def _held_out(row: Row) -> Cell:
    got = row.accuracy
    if got is None:
        return Cell("", None, "not proven")
    if got.held_out_accuracy is not None:
        return Cell(f"{got.held_out_accuracy:.6f} of classes", got.held_out_accuracy)
    return Cell(
        "" if got.r_squared is None else f"R² {got.r_squared:.6f}", got.r_squared, "no variance held out"
    )


COLUMNS: Sequence[Column] = (
    Column("task", "", lambda row: Cell(row.task, row.task), word=True),
    Column("tier", "", _tier, word=True),
    Column("verdict", "speed", _verdict, word=True),
    Column("time/step", "speed", _time),
    Column("time/baseline", "speed", _ratio),
    Column("samples/s", "speed", _samples),
    Column("floor", "speed", _floor),
    Column("over floor", "speed", _above_floor),
    Column("what differs", "cost", _how, word=True),
    Column("first call", "cost", _cold(lambda row: fmt.duration(row.first_call_s), lambda row: row.first_call_s)),
    Column("break-even steps", "cost", _even),
    Column("import", "cost", _cold(lambda row: fmt.duration(row.import_s), lambda row: row.import_s)),
    Column("CPU/wall", "cost", _used),
    Column("peak memory", "cost", _cold(lambda row: fmt.memory(row.peak_memory), lambda row: row.peak_memory)),
    Column("parity", "accuracy", _proof, word=True),
    Column("bound used", "accuracy", _bound),
    Column("loss", "accuracy", _reached("loss", "", fmt.loss)),
    Column("above exact", "accuracy", _reached("excess", "no exact solution")),
    Column("held out", "accuracy", _held_out),
    Column("rmse, own units", "accuracy", _reached("rmse_original_units", "classes have no units")),
)  # fmt: skip


class Line(NamedTuple):
    """A row of the page's table: its lane, the numbers of its notes, its mark within the tier, its cells."""

    row: Row
    numbers: list[int]
    mark: str
    cells: list[Cell]


def lines(rows: Sequence[Row], marks: Marks) -> tuple[list[Line], list[str]]:
    """The table's rows, by task and tier, and its notes in the order of their numbers."""
    who: dict[str, list[str]] = {}
    made = []
    for row in by_tier(rows):
        remarks = list(dict.fromkeys(_remarks(row)))
        for remark in remarks:
            who.setdefault(remark, []).append(f"{row.lane} on {row.task}")
        numbers = sorted(list(who).index(remark) + 1 for remark in remarks)
        cells = [column.cell(row) for column in COLUMNS]
        made.append(Line(row, numbers, marks.get((row.task, row.lane), ""), cells))
    shared = {text: names[0] if len(names) == 1 else f"{len(names)} rows" for text, names in who.items()}
    return made, [f"{names}: {text}" for text, names in shared.items()]


def _remarks(row: Row) -> list[str]:
    """What a reader must know of a row: the reason of its verdict, and what else is so."""
    why = row.blank or row.verdict.reason
    said = [f"{row.verdict.word}: {why}"] if why else []
    if row.accuracy and row.accuracy.no_excess:
        said.append(f"no exact solution: {row.accuracy.no_excess}")
    return [*said, *row.notes]


def by_tier(rows: Sequence[Row]) -> list[Row]:
    """The rows by task and tier, each in its first order."""
    tasks = list(dict.fromkeys(row.task for row in rows))
    tiers = list(dict.fromkeys(row.tier for row in rows))
    return sorted(rows, key=lambda row: (tasks.index(row.task), tiers.index(row.tier)))
