"""The raw slices of `aa` under other labels and at other true ratios: how often are the tests wrong?

Copies are interchangeable, whatever the machine did meanwhile. So which arm is which can be drawn anew, in every
block or for a whole session: each is another sample of which the truth is known. Drawn in every block, a permuted
arm has no time of its own over the blocks, and there are many of them; drawn for a session, it keeps what a
process, a place or an hour gave it. Multiplied by 1.02 or its inverse the ratios lie at the margin, where the
level binds: what is wrong just beyond it or just within is counted. Gates are left out: the tests have to hold by
themselves.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import cycle, islice
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from samestep.benchmarks.analysis import RecordAnalysis
from samestep.benchmarks.analysis.verdicts import best_supported
from samestep.benchmarks.measure.efforts import EFFORTS, UNTIL
from samestep.benchmarks.record import AnyBlock, AnyRecord
from samestep.benchmarks.statistics.inference import ALPHA, MARGIN, Sample, claims, holm
from samestep.benchmarks.statistics.sequential import Look
from validation import goals, packed, store
from validation.campaign import of_tasks

Differences = NDArray[np.float64]  # (blocks, arms, arms): the median over rounds of log(t_i / t_j)
Ratios = NDArray[np.float64]  # (arms - 1, blocks): log ratios to the arm that is the baseline
DRAWS = 100  # permutations of each session
SAMPLES = "aa", "aa-former"  # the second: of 3 to 5 rounds a block, half of them beside other load


class Design(NamedTuple):
    """How many blocks a session has, and after how many it may end before."""

    name: str
    blocks: int
    looks: tuple[int, ...] = ()


UNTIL_DECIDED = UNTIL["decided"]
DESIGNS = (
    *(Design(name, EFFORTS[name].blocks) for name in ("quick", "standard")),
    Design(UNTIL_DECIDED.name, UNTIL_DECIDED.blocks, UNTIL_DECIDED.looks),
)


class Truth(NamedTuple):
    """True log ratios of a session, in margins, arm after arm in turn; `right`: the word for each sign."""

    name: str
    margins: tuple[int, ...]
    right: Mapping[int, str]


COPIES, WITHIN = {0: "EQUIVALENT"}, {1: "EQUIVALENT", -1: "EQUIVALENT"}
BEYOND = {1: "SLOWER", -1: "FASTER"}
TRUTHS = (
    Truth(goals.IDENTICAL, (0,), COPIES),
    Truth("just below 1.02", (1,), WITHIN),
    Truth("just above 1.02", (1,), BEYOND),
    Truth("just within, half at each end", (1, -1), WITHIN),
    Truth("just beyond, half at each end", (1, -1), BEYOND),
)


def run(draws: int = DRAWS, root: Path = Path()) -> dict[str, Any]:
    """Every session of the committed copies, relabeled so many times in its blocks, and as a whole.

    Raises:
        InputError: there are none.
    """
    rows = []
    for samples in SAMPLES:
        made = packed.result(root / store.TRUST / samples, lambda records: [*summary(records, draws)])
        rows += [{"samples": samples} | row for row in made["rows"]]
    return {"draws": draws, "rows": rows}


def summary(records: Mapping[str, AnyRecord], draws: int) -> Iterator[dict[str, Any]]:
    """A row for every framework, design, way of relabeling and truth."""
    rng = np.random.default_rng(0)
    for framework, record in records.items():
        for design in DESIGNS:
            sessions = list(of_design(record, design))
            if not sessions:
                continue
            in_blocks = [permuted(each, rng) for each in sessions for _ in range(draws)]
            as_wholes = [ratios for each in sessions for ratios in with_each_baseline(each)]
            for relabeled, families in (("block", in_blocks), ("session", as_wholes)):
                place = {"framework": framework, "design": design.name, "relabeled": relabeled}
                for found in counts(families, design):
                    yield place | {"sessions": len(sessions)} | found


def counts(families: Sequence[Ratios], design: Design) -> Iterator[dict[str, Any]]:
    """For every truth: what was decided of these copies at such ratios, and what of it was wrong."""
    for margins in dict.fromkeys(truth.margins for truth in TRUTHS):
        signs = list(islice(cycle(margins), len(families[0])))
        shift = MARGIN * np.array(signs)[:, None]
        words = [judged(ratios + shift, design) for ratios in families]
        for truth in (truth for truth in TRUTHS if truth.margins == margins):
            wrong = [
                sum(word not in ("", truth.right[sign]) for word, sign in zip(of_family, signs, strict=True))
                for of_family in words
            ]
            yield {
                "truth": truth.name,
                "families": len(families),
                "families_decided": sum(any(of_family) for of_family in words),
                "decided": sum(word != "" for of_family in words for word in of_family),
                "false": sum(wrong),
                "families_wrong": sum(count > 0 for count in wrong),
            }


def of_design(record: AnyRecord, design: Design) -> Iterator[Differences]:
    """The sessions of a design: one task, and blocks that follow one another, idle or beside other load."""
    for start in range(0, len(record.blocks) - design.blocks + 1, design.blocks):
        chosen = record.blocks[start : start + design.blocks]
        for work in record.plan.works:
            yield differences_of(of_tasks(record, {work.task.name}, chosen), chosen)


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


def permuted(differences: Differences, rng: np.random.Generator) -> Ratios:
    """The ratios of a session when another order of the arms is drawn in each block."""
    blocks, arms, _ = differences.shape
    order = rng.permuted(np.tile(np.arange(arms), (blocks, 1)), axis=1)
    at = np.arange(blocks)[:, None]
    return np.asarray(differences[at, order[:, 1:], order[:, :1]].T)


def with_each_baseline(differences: Differences) -> Iterator[Ratios]:
    """The ratios of a session to each of its arms: to the tests the order of the others is nothing."""
    for baseline in range(differences.shape[1]):
        yield np.delete(differences[:, :, baseline], baseline, axis=1).T


def judged(ratios: Ratios, design: Design) -> list[str]:
    """A word for each arm where the session ends, "" where none is decided."""
    words: list[str] = []
    for blocks in (*design.looks, design.blocks):
        look = Look.at(blocks, design.looks, design.blocks)
        found = [claims(Sample.of(lane[:blocks].tolist())) for lane in ratios]
        adjusted = holm([look.adjusted(min(each)) for each in found], family=len(ratios))
        words = [best_supported(each) if p <= ALPHA else "" for each, p in zip(found, adjusted, strict=True)]
        if "" not in words:
            break
    return words


def faults(result: dict[str, Any]) -> list[str]:
    """A line for each goal that was not met."""
    return goals.unmet(goals.permuted(result["rows"]))
