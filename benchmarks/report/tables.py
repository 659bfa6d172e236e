"""What the tables of a record hold: what was proven, how fast it was, what it cost.

Each task gets three narrow tables instead of one wide one, so that all of it is readable at 100 columns.
"""

from __future__ import annotations

import csv
import io
import json
import math
import re
from collections.abc import Sequence

from samestep.backends.spec import File

from ..analysis import LaneAnalysis, RecordAnalysis
from ..analysis.throttling import throttled
from ..console.choices import counted, first_names
from ..console.errors import InputError
from ..console.escapes import visible
from ..record import AnyRecord, PhaseBreakdown, PlannedWork
from ..record.measurements import PHASES
from ..statistics.inference import FEWEST_BLOCKS
from ..statistics.sequential import ONLY
from . import columns, sweep_tables
from . import formatting as fmt
from .glossary import RANK_SIGNS, explained, rank_key, shown
from .host_line import host_line
from .looks_line import looks_line
from .settings_lines import settings_lines
from .text_table import Section, TextDocument, TextTable, document_html, markdown, plain
from .twin_words import with_twins

FORMULA_SIGNS = ("=", "+", "-", "@", "\uff1d", "\uff0b", "\uff0d", "\uff20")  # the last four in full width
PLAIN_NUMBER = re.compile(r"[+-]?[0-9][0-9,]*(\.[0-9]+)?([eE][+-]?[0-9]+)?%?")
UNSEEN = "not seen"
FORMATS = ("rich", "markdown", "csv", "json", "html")


def render(analysis: RecordAnalysis, format: str, *, width: int = 100) -> str:
    """The tables of a record in one of FORMATS; of a grid of sizes the map and the lines come first.

    CSV has a line for each task and lane, JSON an object with the same names; neither has the map.

    Raises:
        InputError: an unknown format.
    """
    if format not in FORMATS:
        raise InputError(f"unknown format {format!r}; choose from {', '.join(FORMATS)}")
    if format in ("csv", "json"):
        return as_csv(analysis) if format == "csv" else as_json(analysis)
    document = record_document(analysis)
    if analysis.crossover:
        over_sizes = sweep_tables.sweep_document(analysis)
        if format == "html":
            over_sizes.sections[0].heading = "Over all sizes"
        else:
            over_sizes.sections.append(Section("", over_sizes.closing, []))
        document.sections[:0] = over_sizes.sections
    if format == "html":
        return document_html(document)
    return plain(document, width=width) if format == "rich" else markdown(document)


def record_document(analysis: RecordAnalysis) -> TextDocument:
    """The tables of every task, and what they hold for."""
    sections = [
        Section(heading(analysis.record, work), data_facts(work), task_tables(analysis, work.task.name))
        for work in analysis.record.plan.works
    ]
    return TextDocument(sections, scope(analysis), brief_scope(analysis))


def as_csv(analysis: RecordAnalysis) -> str:
    """One line for each task and lane, plain numbers in SI units, blank where not measured."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(name for column in columns.COLUMNS.values() for name in column.csv_names())
    for row in as_dicts(analysis):
        writer.writerow(
            spreadsheet_cell(value) if isinstance(value, str) else value for value in row.values()
        )
    return text.getvalue().rstrip("\n")


def as_json(analysis: RecordAnalysis) -> str:
    """A list of objects, one for each task and lane, as `as_dicts`; infinity as a string, as in records."""
    rows = [
        {name: str(value) if value in (math.inf, -math.inf) else value for name, value in row.items()}
        for row in as_dicts(analysis)
    ]
    return json.dumps(rows, indent=1, allow_nan=False)


def as_dicts(analysis: RecordAnalysis) -> list[dict[str, object]]:
    """A dictionary for each task and lane: the columns of CSV by name, in SI units; None for no figure."""
    return [
        {
            name: value
            for column in columns.COLUMNS.values()
            for name, value in zip(column.csv_names(), column.csv_values(lane), strict=True)
        }
        for lane in analysis
    ]


def spreadsheet_cell(text: str) -> str:
    """A text that no spreadsheet takes for a formula: where it begins like one, an apostrophe stands before it.

    After OWASP, CSV Injection; a space before the sign helps nobody. Plain numbers stay as they are. Tabs and
    line ends are written as text here as everywhere.
    """
    shown = visible(text)
    is_formula = shown.lstrip().startswith(FORMULA_SIGNS) and not PLAIN_NUMBER.fullmatch(shown)
    return f"'{shown}" if is_formula else shown


# --- what the tables hold -------------------------------------------------------------------------


def heading(record: AnyRecord, work: PlannedWork) -> str:
    """The work in one line."""
    task, plan = work.task, record.plan
    last = work.rows % task.batch_size
    partial = f", last batch {last}" if last else ""
    epochs = counted(task.epochs, "epoch")
    return (
        f"{task.name}: {work.rows:,} x {work.features}, batch {task.batch_size}{partial}, {task.loss.name} "
        f"({task.loss.reduction}), {task.dtype}, {epochs}; {plan.device}, threads {plan.threads}"
    )


def data_facts(work: PlannedWork) -> list[str]:
    """Where the data come from and what was done to them, in a sentence or two."""
    facts = work.facts
    if facts is None:
        return []
    scaled = any(scale != 1 for scale in (*facts.transform.feature_scale, facts.transform.target_scale))
    parts = [facts.source.rstrip(".")]
    if isinstance(work.task.dataset, File):
        columns = counted(len(facts.columns), "column")
        parts.append(f"{facts.target} from {columns}: {first_names(facts.columns)}")
    parts += [] if facts.rank is None else [f"rank {facts.rank} of {work.features}"]
    parts += ["standardized on the training rows"] if scaled else []
    parts += [f"constant columns dropped: {first_names(facts.dropped)}"] if facts.dropped else []
    parts += [f"{counted(facts.skipped_rows, 'row')} with gaps dropped"] if facts.skipped_rows else []
    return ["; ".join(parts) + "."]


def task_tables(analysis: RecordAnalysis, task: str) -> list[TextTable]:
    """Speed, cost and accuracy of one task, and its phases where they were measured."""
    lanes, phase_table = analysis.of_task(task), phases(analysis, task)
    return [speed(lanes), cost(lanes), accuracy_table(lanes), *([phase_table] if phase_table else [])]


def of_columns(title: str, names: Sequence[str], lanes: Sequence[LaneAnalysis]) -> TextTable:
    """A table of some columns, a row for each lane."""
    chosen = [columns.COLUMNS[name] for name in ("lane", *names)]
    table = TextTable(
        title,
        tuple(column.heading for column in chosen),
        left=[column.heading for column in chosen if column.left],
        drops=[columns.COLUMNS[name].heading for name in columns.DROPS],
        prose=[column.heading for column in chosen if column.prose],
    )
    for lane in lanes:
        sign = f" {RANK_SIGNS[lane.tier_rank]}" if lane.tier_rank else ""
        table.rows.append(tuple(c.cell(lane).text + (sign if c.ranked else "") for c in chosen))
        table.groups.append(lane.row.tier or "not run")
    return table


def speed(lanes: Sequence[LaneAnalysis]) -> TextTable:
    """Time per step against the baseline, with the verdict; no time without a passed proof."""
    table = of_columns("SPEED", columns.SPEED, lanes)
    for row in (lane.row for lane in lanes):
        if why := row.blank or row.verdict.reason:
            table.notes.append(f"{row.lane}: {row.verdict.word}: {why}")
        table.notes += [f"{row.lane}: {note}" for note in row.notes]
    reasons = dict.fromkeys(lane.row.no_floor for lane in lanes if lane.row.no_floor)
    table.notes += [f"no floor: {reason}" for reason in reasons]
    return table


def cost(lanes: Sequence[LaneAnalysis]) -> TextTable:
    """How a lane works, and what it costs before and beside its steps; instructions where they are counted."""
    counted = any(lane.instructions_per_step for lane in lanes)
    names = [name for name in columns.COST if counted or name != "instructions_per_step"]
    return of_columns("COST", names, lanes)


def accuracy_table(lanes: Sequence[LaneAnalysis]) -> TextTable:
    """Where training ended, and how much of its bound the worst step used; no column without a figure."""
    used = [name for name in columns.ACCURACY if any(columns.COLUMNS[name].cell(lane).text for lane in lanes)]
    table = of_columns("ACCURACY", used, lanes)
    reached = next((lane.row.accuracy for lane in lanes if lane.row.accuracy), None)
    if reached and reached.no_excess:
        table.notes.append(f"no exact solution to compare with: {reached.no_excess}")
    return table


def scope(analysis: RecordAnalysis, *, explain: bool = True) -> list[str]:
    """What the tables hold for, and no further; by default with what the words and marks of the rows mean."""
    record, plan, machine = analysis.record, analysis.record.plan, analysis.record.plan.environment
    lines = [
        f"Baseline {analysis.baseline}. Ratios are time over the baseline's, {over_blocks(analysis)} of fresh "
        f"processes, interleaved{with_twins(record)}.",
        no_intervals(record),
        looks_line(analysis),
        exploratory(analysis),
        explained(row.verdict.word for row in analysis.rows) if explain else "",
        rank_key() if explain and analysis.tier_ranks else "",
        f"Measured {fmt.moment(plan.created)} at effort {plan.effort.name} on {machine.cpu}, "
        f"{fmt.processors(machine)}. It holds for this host, this boot and these caches.",
        *host_line(record),
        *settings_lines(plan),
    ]
    lines += [*fmt.not_run_lines(plan.missing, plan.unsupported_pairs), *throttled_lines(record)]
    return [line for line in lines if line]


def brief_scope(analysis: RecordAnalysis) -> list[str]:
    """The same for a terminal: what holds of every table, whatever is particular here, and where more is."""
    plan, machine = analysis.record.plan, analysis.record.plan.environment
    lines = [
        f"Baseline {analysis.baseline}; {over_blocks(analysis)}; {fmt.moment(plan.created)}, effort "
        f"{plan.effort.name}, {machine.cpu}, {fmt.processors(machine)}, this boot.",
        no_intervals(analysis.record),
        looks_line(analysis),
        exploratory(analysis),
        *host_line(analysis.record),
        *settings_lines(plan),
        *throttled_lines(analysis.record),
        f"Not run here: {first_names(list(plan.missing))}; samestep list says why." if plan.missing else "",
        *fmt.not_run_lines({}, plan.unsupported_pairs),
        f"What a word means: samestep explain WORD. Here: {', '.join(words_of(analysis))}.",
    ]
    return [line for line in lines if line]


def words_of(analysis: RecordAnalysis) -> list[str]:
    """The verdicts and marks of a record's tables."""
    signs = [RANK_SIGNS[rank] for rank in RANK_SIGNS if rank in analysis.tier_ranks.values()]
    return [*dict.fromkeys(shown(row.verdict.word) for row in analysis.rows), *signs]


def throttled_lines(record: AnyRecord) -> list[str]:
    """The blocks in which a GPU was slowed down."""
    slowed = ((block.index, throttled(block.gpus_before, block.gpus_after)) for block in record.blocks)
    return [f"Block {index}: {why}" for index, why in slowed if why]


def over_blocks(analysis: RecordAnalysis) -> str:
    """What the estimates of a record are, and over how many blocks."""
    blocks = len(analysis.record.blocks)
    level = "95% " if analysis.look == ONLY else ""
    what = "medians" if blocks < FEWEST_BLOCKS else f"{level}intervals"
    return f"{what} over {blocks} block{'' if blocks == 1 else 's'}"


def no_intervals(record: AnyRecord) -> str:
    """What is said of a record of too few blocks."""
    if len(record.blocks) >= FEWEST_BLOCKS:
        return ""
    return "An interval needs four blocks: times and ratios have none here (±?, too few blocks)."


def exploratory(analysis: RecordAnalysis) -> str:
    """What is said of figures against another baseline than the plan's."""
    if not analysis.exploratory:
        return ""
    planned = f"Exploratory: the baseline fixed before measuring was {analysis.record.plan.baseline}."
    return f"{planned} The level is shared by all pairs of lanes, since any could have been chosen."


def phases(analysis: RecordAnalysis, task: str) -> TextTable | None:
    """Where the time of a step goes, for the lanes that were measured so; None where none was."""
    breakdowns = [breakdown for breakdown in analysis.record.ledgers if breakdown.task == task]
    if not breakdowns:
        return None
    drops = ("all data to device", "sum/race")
    table = TextTable("PHASES", ("lane", *PHASES, "sum", *drops[::-1]), drops=drops)
    for breakdown in breakdowns:
        raced = analysis[task, breakdown.lane].time_per_step
        parts = [phase_text(breakdown.phases.get(name)) for name in PHASES]
        of_race = f"{breakdown.run_s / raced.value:.2f}" if raced else ""
        total = fmt.duration(breakdown.run_s), of_race, fmt.duration(breakdown.transfer_s)
        table.rows.append((breakdown.lane, *parts, *total))
        if breakdown.reason:
            table.notes.append(f"{breakdown.lane}: no phases: {breakdown.reason}")
        table.notes += unseen_phases(breakdown)
    table.notes.append(
        "Seconds per step, as differences of loops that do more and more of it, measured after the race; "
        "sum/race: the same run here over its time in the race. Python: the loop itself."
    )
    return table


def phase_text(seconds: float | None) -> str:
    """The time of a phase; a difference that is not above 0 is no time."""
    return UNSEEN if seconds is not None and seconds <= 0 else fmt.duration(seconds)


def unseen_phases(breakdown: PhaseBreakdown) -> list[str]:
    """A line for each phase that is lost in the noise of the loops that it is a difference of."""
    return [
        f"{breakdown.lane}: {name} not seen: it came out {fmt.duration(-seconds)} below 0; the other phases of "
        "the row are uncertain by as much"
        for name, seconds in breakdown.phases.items()
        if seconds <= 0
    ]
