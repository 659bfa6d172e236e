"""What was found on a task, in plain sentences that name lanes. Tasks are not added up: no lane wins overall."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

from ...analysis import RecordAnalysis, Row
from ...analysis.comparable import no_claim
from ...analysis.crossover import RankedLane, ranked
from ...analysis.gates import untested
from ...analysis.rows import TIMELESS
from .. import formatting as fmt
from ..glossary import listed

FRAMEWORKS = {"numpy": "NumPy", "torch": "PyTorch", "jax": "JAX"}
MOST = 4  # lanes that a sentence names


def headline(analysis: RecordAnalysis, task: str) -> str:
    """The lane with the least time, how it compares with the baseline, the documented lanes, and who is left out.

    A lane that is UNSTABLE or has no time that counts is no member of any comparison here.
    """
    rows = analysis.rows_of(task)
    times = {row.lane: row.time for row in rows if row.time and not no_claim(analysis[task, row.lane])}
    on = f"On {task_name(task)}"
    if not times:
        untimed = [why for row in rows if row.time and (why := untested(analysis[task, row.lane]))]
        text = f"{on} nothing can be said of any lane{f': {untimed[0]}' if untimed else ''}"
    else:
        leader, *others = ranked(analysis, task, times)
        text = f"{on} {_leader(analysis, task, leader, others)}{_documented(analysis, task, leader.lane)}"
    least = min((time.value for time in times.values()), default=0.0)
    return " ".join([f"{text}.", *_left_out(analysis, rows, least)])


def task_name(task: str) -> str:
    """A task within a sentence."""
    return "the lesson" if task == "lesson" else task


def lane_name(row: Row) -> str:
    """A documented lane by its framework's own name, any other lane by its name."""
    return FRAMEWORKS.get(row.lane, row.lane) if row.tier == "documented" else row.lane


def full_name(row: Row) -> str:
    """The same beside lanes of other tiers."""
    name = lane_name(row)
    return f"{name} as documented" if name != row.lane else name


# --- the lane with the least time -----------------------------------------------------------------


def _leader(analysis: RecordAnalysis, task: str, leader: RankedLane, others: Sequence[RankedLane]) -> str:
    """What it takes, which lanes are not separated from it, and what the verdict on it says."""
    row, base = (analysis.row_of[task, lane] for lane in (leader.lane, analysis.baseline))
    level = [analysis.row_of[task, other.lane] for other in others if not other.separated]
    names = [full_name(other) for other in level if other is not base]
    beside = (
        f" ({some(names)} {'was' if len(names) == 1 else 'were'} not shown to be slower)" if names else ""
    )
    time = f"{fmt.time_parts(leader.time).value} a step"
    if row is base:
        least = "the least time: " if others else ""
        return f"{full_name(base)}, the baseline, takes {least}{time}{beside}"
    return f"{full_name(row)} takes {time}{beside}, {_against(row, full_name(base))}"


def _against(row: Row, base: str) -> str:
    """The lane with the least time beside the baseline."""
    ratio, word = row.ratio, row.verdict.word
    if ratio is None:
        return f"and {base}, the baseline, has no time to set beside it"
    if word in ("FASTER", "SLOWER"):
        return f"{fmt.speedup(ratio)} as {base}"
    return f"as long as {base} within 2%" if word == "EQUIVALENT" else f"with no difference shown from {base}"


# --- the documented lanes -------------------------------------------------------------------------


def _documented(analysis: RecordAnalysis, task: str, leader: str) -> str:
    """The other documented lanes against the baseline, by time; nothing where there is none to compare."""
    base = analysis.row_of[task, analysis.baseline]
    rows = [row for row in analysis.rows_of(task) if row.tier == "documented"]
    compared = [row for row in rows if row is not base and row.lane != leader and row.ratio]
    compared.sort(key=lambda row: row.time.value if row.time else math.inf)
    if not compared:
        return ""
    names = [lane_name(base), *[""] * (len(compared) - 1)]  # it is said once
    texts = [f"{lane_name(row)} {_compared(row, name)}" for row, name in zip(compared, names, strict=True)]
    more = f", and {len(texts) - MOST} more in the table" if len(texts) > MOST else ""
    return f"; among documented lanes {', '.join(texts[:MOST])}{more}"


def _compared(row: Row, base: str) -> str:
    """What may be said of a lane against the baseline, with the name of that, if any."""
    ratio, word = row.ratio, row.verdict.word
    as_base, from_base = (f" {what} {base}" if base else "" for what in ("as", "from"))
    if ratio and word in ("FASTER", "SLOWER"):
        return f"{'is' if ratio.value <= 1 else 'takes'} {fmt.speedup(ratio)}{as_base}"
    return (
        f"takes as long{as_base} within 2%" if word == "EQUIVALENT" else f"was not shown to differ{from_base}"
    )


# --- the others -----------------------------------------------------------------------------------


def _left_out(analysis: RecordAnalysis, rows: Sequence[Row], least: float) -> Iterator[str]:
    """The lanes of which nothing is claimed, though they may take less than `least`; those that did not race."""
    if unstable := no_claims(rows):
        shorter = any(row.is_unstable and row.time and row.time.value < least for row in rows)
        yield f"{unstable.removesuffix('.')}, which may take less." if shorter else unstable
    if timeless := [row for row in rows if row.verdict.word in TIMELESS]:
        yield f"No time counts for {some([f'{full_name(row)} ({row.verdict.word})' for row in timeless])}."
    raced = {row.lane for row in rows}
    if absent := [
        lane for lane in (*analysis.lanes, *analysis.record.plan.missing_lanes) if lane not in raced
    ]:
        yield f"Not in the race: {some(absent)}."


def no_claims(rows: Sequence[Row]) -> str:
    """Of which lanes nothing is claimed, as a sentence; empty where there is none."""
    unstable = [full_name(row) for row in rows if row.is_unstable]
    return f"No claim is made about {some(unstable)} (UNSTABLE)." if unstable else ""


def marked(row: Row, text: str) -> str:
    """A figure of a lane, marked where nothing is claimed of it."""
    return f"{text}, UNSTABLE" if row.is_unstable else text


def some(names: Sequence[str], one_more: str = "more", more: str = "") -> str:
    """Names, or the first of many and how many more there are, in words for one and for several."""
    rest = len(names) - MOST
    last = f"{rest} {one_more if rest == 1 else more or one_more}"
    return listed([*names[:MOST], *([last] if rest > 0 else [])])
