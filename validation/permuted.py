"""The raw slices of `aa` with the arms of every block permuted: how often do the tests call copies different?

Copies are interchangeable within a block, whatever the machine did meanwhile. So each permutation is another
sample of which the truth is known: a permuted arm has no time of its own over the blocks. It is an exact null,
and there are as many permutations as anybody wants. Gates are left out: the tests have to hold by themselves.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from samestep.benchmarks.analysis import RecordAnalysis
from samestep.benchmarks.analysis.verdicts import best_supported
from samestep.benchmarks.measure.efforts import EFFORTS, UNTIL
from samestep.benchmarks.record import AnyBlock, AnyRecord
from samestep.benchmarks.statistics.inference import ALPHA, Sample, claims, holm
from samestep.benchmarks.statistics.sequential import Look
from validation import aa, goals, packed, store
from validation.campaign import of_one_task

Differences = NDArray[np.float64]  # (blocks, arms, arms): the median over rounds of log(t_i / t_j)
DRAWS = 100  # permutations of each session


class Design(NamedTuple):
    """How many blocks a session has, and after how many it may end before; `mixed`: idle and loaded blocks."""

    name: str
    blocks: int
    looks: tuple[int, ...] = ()
    mixed: bool = False


UNTIL_DECIDED = UNTIL["decided"]
DESIGNS = (
    *(Design(name, EFFORTS[name].blocks) for name in ("quick", "standard")),
    Design(UNTIL_DECIDED.name, UNTIL_DECIDED.blocks, UNTIL_DECIDED.looks, mixed=True),
)


def run(draws: int = DRAWS, root: Path = Path()) -> dict[str, Any]:
    """Every session of the committed copies, permuted so many times.

    Raises:
        InputError: there are none.
    """
    folder = root / store.TRUST / "aa"
    rows = packed.result(folder, lambda records: [*summary(records, draws)])["rows"]
    return {"draws": draws, "rows": rows}


def summary(records: Mapping[str, AnyRecord], draws: int) -> Iterator[dict[str, Any]]:
    """A row for every framework and design: its sessions, and what was said of their permuted copies."""
    rng = np.random.default_rng(0)
    for framework, record in records.items():
        for design in DESIGNS:
            found = np.zeros(3, int)
            sessions = list(of_design(record, design))
            for differences in sessions:
                for _ in range(draws):
                    found += judged(permuted(differences, rng), design)
            comparisons, decided, false = map(int, found)
            yield {
                "framework": framework,
                "design": design.name,
                "sessions": len(sessions),
                "comparisons": comparisons,
                "decided": decided,
                "false": false,
            }


def of_design(record: AnyRecord, design: Design) -> Iterator[Differences]:
    """The sessions of a design: one task, and blocks that follow one another, of one condition unless mixed."""
    conditions: list[list[AnyBlock]] = [list(record.blocks)]
    if not design.mixed:
        conditions = list(aa.conditions(record).values())
    for blocks in conditions:
        for start in range(0, len(blocks) - design.blocks + 1, design.blocks):
            for work in record.plan.works:
                chosen = blocks[start : start + design.blocks]
                yield differences_of(of_one_task(record, work, chosen), chosen)


def differences_of(record: AnyRecord, blocks: Sequence[AnyBlock]) -> Differences:
    """The median over rounds of log(t_i / t_j), for every block and pair of arms of a session of one task."""
    analysis = RecordAnalysis(record)
    (task,) = analysis.tasks
    times = [analysis[task, lane].log_times() for lane in record.plan.lanes]
    made = []
    for block in blocks:
        of_block = [arm[block.index] for arm in times]
        rounds = sorted(set.intersection(*map(set, of_block)))
        logs = np.array([[arm[number] for number in rounds] for arm in of_block])
        made.append(np.median(logs[:, None] - logs[None], axis=2))
    return np.array(made)


def permuted(differences: Differences, rng: np.random.Generator) -> NDArray[np.float64]:
    """(arms - 1, blocks): log ratios to the first arm, when another order of the arms is drawn in each block."""
    blocks, arms, _ = differences.shape
    order = rng.permuted(np.tile(np.arange(arms), (blocks, 1)), axis=1)
    at = np.arange(blocks)[:, None]
    return np.asarray(differences[at, order[:, 1:], order[:, :1]].T)


def judged(ratios: NDArray[np.float64], design: Design) -> tuple[int, int, int]:
    """Comparisons, how many were decided, and how many of those wrongly, where the session ends."""
    decided: list[str] = []
    for blocks in (*design.looks, design.blocks):
        look = Look.at(blocks, design.looks, design.blocks)
        found = [claims(Sample.of(lane[:blocks].tolist())) for lane in ratios]
        adjusted = holm([look.adjusted(min(each)) for each in found], family=len(ratios))
        decided = [best_supported(each) for each, p in zip(found, adjusted, strict=True) if p <= ALPHA]
        if len(decided) == len(ratios):
            break
    return len(ratios), len(decided), sum(word != "EQUIVALENT" for word in decided)


def faults(result: dict[str, Any]) -> list[str]:
    """A line for each goal that was not met."""
    return goals.unmet(goals.permuted(result["rows"]))
