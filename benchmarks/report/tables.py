"""Tables from a record: what was proven, how fast it was, what it cost. Pure, and without any framework.

Each task gets three narrow tables instead of one wide one, so that all of it is readable at 100 columns.
"""

from __future__ import annotations

import csv
import io
import textwrap
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from operator import attrgetter
from typing import TypeAlias

from rich import box
from rich.console import Console
from rich.table import Table as RichTable

from benchmarks.errors import InputError
from benchmarks.measure.phases import PHASES
from benchmarks.measure.summary import Row, summarise, time_per_step
from benchmarks.measure.work import Work
from benchmarks.record import Record
from benchmarks.report import figures as fmt

FORMATS = ("rich", "markdown", "csv")
WORDS = ("lane", "tier", "how", "verdict", "parity", "status", "task", "tensor")  # flush left


@dataclass
class Table:
    """A title, the columns' names, rows of text, and notes below."""

    title: str
    columns: tuple[str, ...]
    rows: list[tuple[str, ...]]
    notes: list[str] = field(default_factory=list)


def render(record: Record, format: str, *, baseline: str | None = None) -> str:
    """The tables of a record in one of FORMATS.

    Raises:
        InputError: an unknown format, or a baseline that is not a lane of the record.
    """
    makers = {"rich": plain, "markdown": markdown, "csv": as_csv}
    if format not in makers:
        raise InputError(f"unknown format {format!r}; choose from {', '.join(FORMATS)}")
    return makers[format](record, baseline=baseline)


def plain(record: Record, *, baseline: str | None = None, width: int = 100) -> str:
    """For a terminal, at most `width` columns."""
    parts = [
        text for work, rows in _by_task(record, baseline) for text in _plain_task(record, work, rows, width)
    ]
    return "\n".join([*parts, *(textwrap.fill(line, width) for line in scope(record, baseline))])


def _plain_task(record: Record, work: Work, rows: Sequence[Row], width: int) -> list[str]:
    parts = [heading(record, work), *(textwrap.fill(line, width) for line in data_facts(work))]
    for table in task_tables(record, work, rows):
        parts += ["", boxed(table, width), *notes(table, width)]
    return [*parts, "", ""]


def notes(table: Table, width: int) -> list[str]:
    return [textwrap.fill(note, width, initial_indent="  ", subsequent_indent="    ") for note in table.notes]


def boxed(table: Table, width: int) -> str:
    """One table as text."""
    grid = RichTable(box=box.SIMPLE_HEAD, pad_edge=False, padding=(0, 0))
    for name in table.columns:
        grid.add_column(name, justify="left" if name in WORDS else "right", no_wrap=name == "lane")
    for row in table.rows:
        grid.add_row(*row)
    text = io.StringIO()
    Console(file=text, width=width, color_system=None, markup=False, highlight=False).print(grid)
    return "\n".join(line.rstrip() for line in [table.title, *text.getvalue().strip("\n").splitlines()])


def markdown(record: Record, *, baseline: str | None = None) -> str:
    """For GitHub. Everything from the record is escaped: names are data."""
    parts = []
    for work, rows in _by_task(record, baseline):
        parts.append(f"### {_escape(heading(record, work))}\n")
        parts += [f"{_escape(line)}\n" for line in data_facts(work)]
        for table in task_tables(record, work, rows):
            parts.append(f"**{_escape(table.title)}**\n")
            parts.append(markdown_rows(table))
            parts += [f"- {_escape(note)}" for note in table.notes] + ([""] if table.notes else [])
    return "\n".join([*parts, *(_escape(line) for line in scope(record, baseline))]) + "\n"


def markdown_rows(table: Table) -> str:
    rows = [table.columns, tuple("---" if name in WORDS else "---:" for name in table.columns), *table.rows]
    cells = [[cell if i == 1 else _escape(cell) for cell in row] for i, row in enumerate(rows)]
    return "\n".join("| " + " | ".join(row) + " |" for row in cells) + "\n"


def _escape(text: str) -> str:
    for special in "\\|<>*_`[]":
        text = text.replace(special, {"<": "&lt;", ">": "&gt;"}.get(special, "\\" + special))
    return text


def as_csv(record: Record, *, baseline: str | None = None) -> str:
    """One line for each task and lane, plain numbers in SI units, blank where not measured."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(name for name, _ in CSV)
    for row in summarise(record, baseline=baseline):
        writer.writerow(get(row) for _, get in CSV)
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
    ("reason", attrgetter("verdict.reason")),
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
)


# --- what the tables hold -------------------------------------------------------------------------


def _by_task(record: Record, baseline: str | None) -> list[tuple[Work, list[Row]]]:
    rows = summarise(record, baseline=baseline)
    return [(work, [row for row in rows if row.task == work.task.name]) for work in record.plan.works]


def heading(record: Record, work: Work) -> str:
    """The work in one line."""
    task, plan = work.task, record.plan
    last = work.rows % task.batch_size
    partial = f", last batch {last}" if last else ""
    epochs = "1 epoch" if task.epochs == 1 else f"{task.epochs} epochs"
    return (
        f"{task.name}: {work.rows:,} x {work.features}, batch {task.batch_size}{partial}, {task.loss.name} "
        f"({task.loss.reduction}), {task.dtype}, {epochs}; {plan.device}, threads {plan.threads}"
    )


def data_facts(work: Work) -> list[str]:
    """Where the data come from and what was done to them, in a sentence or two."""
    facts = work.facts
    if facts is None:
        return []
    changed = any(scale != 1 for scale in (*facts.transform.feature_scale, facts.transform.target_scale))
    said = [f"{facts.source.rstrip('.')}", f"rank {facts.rank} of {work.features}"]
    said += ["standardised on the training rows"] if changed else []
    said += [f"constant columns dropped: {', '.join(facts.dropped)}"] if facts.dropped else []
    said += [f"{facts.skipped_rows:,} rows with gaps dropped"] if facts.skipped_rows else []
    return ["; ".join(said) + "."]


def task_tables(record: Record, work: Work, rows: Sequence[Row]) -> list[Table]:
    """Speed, cost and accuracy of one task, and its phases where they were measured."""
    ledger = phases(record, work.task.name)
    return [speed(rows), cost(rows), accuracy(rows), *([ledger] if ledger else [])]


def speed(rows: Sequence[Row]) -> Table:
    """Time per step against the baseline, with the verdict; no time without a passed proof."""
    names = ("lane", "tier", "time/step", "time/baseline", "verdict", "samples/s", "over floor")
    table = Table("SPEED", names, [])
    for row in rows:
        verdict = row.verdict
        shown = (
            verdict.word.lower() if verdict.word in ("BASELINE", "EQUIVALENT", "UNDECIDED") else verdict.word
        )
        cells = fmt.timing(row.time), fmt.ratio(verdict.ratio), shown, fmt.count(row.samples_per_second)
        table.rows.append((row.lane, row.tier or "", *cells, fmt.times(row.above_floor)))
        if why := row.blank or verdict.reason:
            table.notes.append(f"{row.lane}: {verdict.word}: {why}")
        table.notes += [f"{row.lane}: {note}" for note in row.notes]
    return table


def cost(rows: Sequence[Row]) -> Table:
    """How a lane works, and what it costs before and beside its steps."""
    names = ("lane", "how", "first call", "break-even steps", "import", "CPU/wall", "memory")
    table = Table("COST", names, [])
    for row in rows:
        compiled = "" if row.compiled in ("", "no") else f", compiled {row.compiled}"
        how = f"{row.gradient}, {row.buffers}{compiled}" if row.gradient else ""
        even = row.break_even
        pays = "" if even is None else fmt.steps(even.steps) or even.reason.partition(":")[0]
        used = "" if row.cpu_per_wall is None else f"{row.cpu_per_wall:.2f}"
        own = fmt.duration(row.first_call_s), pays, fmt.duration(row.import_s)
        table.rows.append((row.lane, how, *own, used, fmt.memory(row.peak_memory)))
    return table


def accuracy(rows: Sequence[Row]) -> Table:
    """Where training ended, and the share of the allowed rounding that the worst step used."""
    found = next((row.accuracy for row in rows if row.accuracy), None)
    classes = found is not None and found.held_out_accuracy is not None
    score = "held-out accuracy" if classes else "held-out R²"
    names = ("lane", "parity", "bound used", "loss", "above exact", score, "rmse, own units")
    table = Table("ACCURACY", names, [])
    for row in rows:
        proof = "proven" if row.proof == "pass" else "NOT PROVEN" if row.proof == "fail" else row.proof
        cells: tuple[str, ...] = (proof, fmt.percent(row.parity_share))
        if got := row.accuracy:
            share = got.held_out_accuracy if classes else got.r_squared
            scored = "" if share is None else f"{share:.6f}"
            cells += (f"{got.loss:.6g}", fmt.small(got.excess), scored, fmt.small(got.rmse_original_units))
        table.rows.append((row.lane, *cells, *[""] * (len(names) - 1 - len(cells))))
    if found and found.no_excess:
        table.notes.append(f"no exact solution to compare with: {found.no_excess}")
    return _without_empty_columns(table)


def _without_empty_columns(table: Table) -> Table:
    full = [index for index, cells in enumerate(zip(*table.rows, strict=True)) if any(cells)]
    columns, *rows = [tuple(row[index] for index in full) for row in (table.columns, *table.rows)]
    return Table(table.title, columns, rows, table.notes)


def scope(record: Record, baseline: str | None) -> list[str]:
    """What the tables hold for, and no further."""
    plan, machine = record.plan, record.plan.environment
    chosen = baseline or plan.baseline
    lines = [
        f"Baseline {chosen}. Ratios are time over the baseline's, 95% intervals over {len(record.blocks)} "
        "blocks of fresh processes, interleaved, with an identical twin in every race.",
        "FASTER and SLOWER: surely beyond 2%; equivalent: surely within; undecided: neither. A lane whose proof "
        "failed has no time.",
        f"Measured {plan.created} at effort {plan.effort.name} on {machine.cpu}, {machine.cores} cores. "
        "It holds for this host, this boot and these caches.",
    ]
    lines += [f"Not run here: {lane}: {reason}" for lane, reason in plan.missing.items()]
    if chosen != plan.baseline:
        lines.insert(1, f"Exploratory: the baseline fixed before measuring was {plan.baseline}.")
    return lines


def phases(record: Record, task: str) -> Table | None:
    """Where the time of a step goes, for the lanes that were asked; None where none was."""
    ledgers = [ledger for ledger in record.ledgers if ledger.task == task]
    if not ledgers:
        return None
    table = Table("PHASES", ("lane", *PHASES, "sum", "sum/race", "all data to device"), [])
    for ledger in ledgers:
        raced = time_per_step(record, task, ledger.lane)
        parts = [fmt.duration(ledger.phases.get(name)) for name in PHASES]
        share = f"{ledger.run_s / raced.value:.2f}" if raced else ""
        whole = fmt.duration(ledger.run_s), share, fmt.duration(ledger.transfer_s)
        table.rows.append((ledger.lane, *parts, *whole))
        if ledger.reason:
            table.notes.append(f"{ledger.lane}: no phases: {ledger.reason}")
    table.notes.append(
        "Seconds per step, as differences of loops that do more and more of it, measured apart from the race; "
        "sum/race: the same run here over its time in the race. Python: the loop itself."
    )
    return table
