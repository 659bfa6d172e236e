"""The steps of one record are judged once for the many edits that leave them as they are."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from samestep.benchmarks.parity.array_digest import digest
from samestep.benchmarks.parity.judge import judge_kept_steps
from samestep.benchmarks.parity.workload import Workload
from samestep.benchmarks.record.proof import BoundRatios, KeptStep
from samestep.benchmarks.verify import certificates


def key(work: Workload, kept: tuple[KeptStep, ...]) -> tuple[str, ...]:
    """All that a judgment of kept steps depends on, in full: a step that differs in one bit is judged anew."""
    arrays = {"x": work.x, "y": work.y, "rates": work.learning_rates}
    arrays |= {f"start {name}": value for name, value in work.start.items()}
    arrays |= {f"order {epoch}": order for epoch, order in enumerate(work.orders)}
    more = work.matmul_precision, str(work.max_kept_steps)
    return digest(arrays), work.task.model_dump_json(), *more, *(step.model_dump_json() for step in kept)


@pytest.fixture(scope="package", autouse=True)
def judged_once() -> Iterator[None]:
    judged: dict[tuple[str, ...], list[BoundRatios]] = {}

    def judge(work: Workload, kept: tuple[KeptStep, ...]) -> list[BoundRatios]:
        inputs = key(work, kept)
        if inputs not in judged:
            judged[inputs] = judge_kept_steps(work, kept)
        return judged[inputs]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(certificates, "judge_kept_steps", judge)
        yield
