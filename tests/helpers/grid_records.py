"""Records of a grid of sizes, made by hand: times are given, and all gates pass unless told otherwise."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from samestep.backends.spec import Linear, Synthetic, Task
from samestep.benchmarks.record import Block, Record
from samestep.benchmarks.record.plan import PlannedWork
from tests.helpers import records as record_maker

Size = tuple[int, int]  # batch size, features
Times = Mapping[str, Sequence[float]]  # lane: microseconds for each step, in every block


def grid(
    sizes: Mapping[Size, Times], *, twin: float = 1.0, status: Mapping[str, str] | None = None
) -> Record:
    """A record with a task for each size; `twin` is the ratio of the twin in every block."""
    some = next(iter(sizes.values()))
    lanes, count = tuple(some), len(next(iter(some.values())))
    plan = record_maker.plan(lanes, lanes[0], max(count, 2), "one")
    works = tuple(work(plan.works[0], *size) for size in sizes)
    names = [each.task.name for each in works]
    times = dict(zip(names, sizes.values(), strict=True))
    proofs = [record_maker.certified(lane, (status or {}).get(lane, "pass")) for lane in lanes]
    return Record(
        plan=plan.model_copy(update={"works": works}),
        arms=tuple(map(record_maker.arm, lanes)),
        certified=tuple(proof.model_copy(update={"task": name}) for name in names for proof in proofs),
        colds=(),
        calibrations=(),
        ceilings=(),
        dispatches=(),
        blocks=tuple(block(index, lanes, times, twin) for index in range(count)),
        failures=(),
    )


def work(sample: PlannedWork, batch: int, features: int) -> PlannedWork:
    """The work of a size: a hundred full batches."""
    task = Task(
        name=f"b{batch}-f{features}",
        dataset=Synthetic(rows=100 * batch, held_out=20, features=features),
        layers=(Linear(in_features=features, out_features=1),),
        batch_size=batch,
        epochs=1,
    )
    update = {"task": task, "rows": 100 * batch, "features": features, "flops_per_step": 4 * batch * features}
    return sample.model_copy(update=update | {"bytes_per_step": 4 * (batch + 2) * (features + 1)})


def block(index: int, lanes: Sequence[str], times: Mapping[str, Times], twin: float) -> Block:
    """One round of every task; a run is a hundred steps."""
    twinned, pieces = lanes[index % len(lanes)], []
    for task, own in times.items():
        runs = [(lane, False, own[lane][index]) for lane in lanes]
        runs.append((twinned, True, own[twinned][index] * twin))
        for place, (lane, is_twin, us) in enumerate(runs):
            pieces.append(record_maker.piece(lane, is_twin, us * 1e5, place, 0, {"task": task}))
    return Block(
        index=index, cpus=(1,), twin=twinned, started=tuple(lanes), slices=tuple(pieces), failures=()
    )


def steady(us: float) -> list[float]:
    """The same time in six blocks."""
    return [us] * 6
