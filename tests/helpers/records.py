"""Records made by hand: times are given, and all gates pass unless told otherwise."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from samestep.benchmarks import tasks
from samestep.benchmarks.measure import environment
from samestep.benchmarks.record import (
    Arm,
    Audit,
    Block,
    Certified,
    Cold,
    Comparison,
    Failure,
    Kind,
    Plan,
    Record,
    Record1,
    Slice,
    TimedSlice,
)
from samestep.benchmarks.record.plan import Effort, PlannedWork
from samestep.benchmarks.record.proof import Certificate, Evidence, Judgement, Untraced
from samestep.benchmarks.record.version_1 import Block1, Slice1

FINAL = "0123456789abcdef"
AUDIT = Audit(epoch=0, steps=100, ratio=0.3, equal=True)
STEPS = 100
Change = Callable[[str, int, int], Mapping[str, Any]]  # lane, block, round -> fields of the slice


def record(
    ratios: Mapping[str, Sequence[float]],
    *,
    baseline: str = "torch",
    rounds: int = 3,
    noise: float = 0.0,
    twin: Callable[[int], float] = lambda block: 1.0,
    change: Change = lambda lane, block, round: {},
    failures: Sequence[Failure] = (),
    status: Mapping[str, str] | None = None,
    blocks: int | None = None,
    threads: str = "one",
    cold: Mapping[str, float] | None = None,
) -> Record:
    """A record of the lesson: {lane: its time over the baseline's in each block}; the baseline's run takes 10 ms.

    `noise` moves all arms of a block together, as a busy machine does; `twin` is the twin's ratio by block.
    """
    lanes = (baseline, *(lane for lane in ratios if lane != baseline))
    count = len(next(iter(ratios.values())))
    rng = np.random.default_rng(5)
    made = []
    for index in range(count):
        tempo = 1e7 * math.exp(rng.normal(0, noise))
        twinned = lanes[index % len(lanes)]
        arms = [(lane, False, ratios.get(lane, [1.0] * count)[index]) for lane in lanes]
        arms.append((twinned, True, ratios.get(twinned, [1.0] * count)[index] * twin(index)))
        pieces = tuple(
            piece(lane, is_twin, tempo * ratio, place, at, change(lane, index, at))
            for at in range(rounds)
            for place, (lane, is_twin, ratio) in enumerate(arms)
        )
        made.append(Block(index=index, cpus=(1,), twin=twinned, started=lanes, slices=pieces, failures=()))
    return Record(
        plan=plan(lanes, baseline, blocks or count, threads),
        arms=tuple(arm(lane) for lane in lanes),
        certified=tuple(certified(lane, (status or {}).get(lane, "pass")) for lane in lanes),
        colds=tuple(
            Cold(
                task="lesson",
                lane=lane,
                repeat=0,
                import_s=1.0,
                first_call_s=s,
                peak_memory=1 << 28,
                beside=0,
                audit=AUDIT,
            )
            for lane, s in (cold or {}).items()
        ),
        calibrations=(),
        ceilings=(),
        dispatches=(),
        blocks=tuple(made),
        failures=tuple(failures),
    )


def piece(
    lane: str,
    twin: bool,
    run_ns: float,
    position: int,
    round: int,
    change: Mapping[str, Any],
    kind: Kind = "race",
) -> Slice:
    """A slice of four runs."""
    elapsed = int(4 * run_ns)
    fields: dict[str, Any] = {
        "task": "lesson",
        "lane": lane,
        "twin": twin,
        "kind": kind,
        "round": round,
        "position": position,
        "predecessor": None,
        "repeats": 4,
        "warmups": 2,
        "elapsed_ns": elapsed,
        "cpu_ns": elapsed,
        "span_ns": 2 * elapsed,
        "steal_ns": 0,
        "switches": (0, 0),
        "fetch_ns": 8_000,
        "charged_ns": 0,
        "outside_ns": elapsed + 100_000,
        "outside_cpu_ns": elapsed,
        "children": 0,
        "start_seed": 1,
        "order_seed": 2,
        "compilations": 0,
        "final": FINAL,
        "losses": FINAL,
        "audit": AUDIT,
    }
    return Slice(**fields | dict(change))


def former(made: Record, change: Change = lambda lane, block, round: {}) -> Record1:
    """The same times in a record of version 1."""
    proof: dict[str, Any] = {"resync_ns": 9_000, "fetch_ns": 8_000, "finals": 1, "apart": 0.0}
    blocks = []
    for block in made.blocks:
        slices = tuple(
            Slice1(
                **{name: getattr(timed, name) for name in TimedSlice.model_fields}
                | proof
                | dict(change(timed.lane, block.index, timed.round))
            )
            for timed in block.slices
        )
        of_block = {name: getattr(block, name) for name in Block.model_fields} | {"slices": slices}
        blocks.append(Block1(**of_block))
    of_record = {name: getattr(made, name) for name in Record.model_fields}
    return Record1(**of_record | {"schema_version": 1, "blocks": tuple(blocks)})


def plan(lanes: Sequence[str], baseline: str, blocks: int, threads: str) -> Plan:
    work = PlannedWork(
        task=tasks.get("lesson"),
        rows=1000,
        features=2,
        steps=STEPS,
        samples=1000,
        data="d",
        start="s",
        bytes_per_step=144,
        flops_per_step=80,
    )
    return Plan(
        created="2026-01-01T00:00:00+00:00",
        works=(work,),
        lanes=tuple(lanes),
        baseline=baseline,
        family=tuple(Comparison(task="lesson", lane=lane) for lane in lanes if lane != baseline),
        effort=Effort(name="made", blocks=blocks),
        threads="one" if threads == "one" else "all",
        device="cpu",
        seed=0,
        environment=environment.read(),
        settings={},
    )


def arm(lane: str) -> Arm:
    return Arm(
        lane=lane,
        framework=lane.partition(":")[0],
        tier="documented",
        gradient="autodiff",
        buffers="fresh",
        compiled="no",
        device="cpu",
        versions={"numpy": "2"},
        pools=(),
    )


def certified(lane: str, status: Any) -> Certified:
    ending = Untraced(steps=STEPS, equal=True, distance=0.0, allowance=1e-6, final=FINAL + "0" * 48)
    judgement = Judgement(dtype="float32", reference="float64, 53 bits", reason=f"it says {status}")
    certificate = Certificate(
        lane=lane,
        device="cpu",
        versions={},
        task="lesson",
        task_digest="t",
        dtype="float32",
        data="d",
        order="o",
        status=status,
        reason=f"it says {status}",
        evidence=(Evidence(judgement=judgement, start="s", untraced=(ending,)),),
    )
    return Certified(task="lesson", lane=lane, certificate=certificate)
