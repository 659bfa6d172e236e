"""About how long a run takes, told before it starts: what each kind of process took on a machine of two cores."""

from __future__ import annotations

from collections.abc import Sequence

from ..record.layout import CONTROLS
from ..record.plan import Effort
from .able_lanes import Pair, class_of
from .environment import allowed_cpus
from .request import RunRequest

COLD_S = {"numpy": 2.0, "torch": 6.0, "jax": 5.0, "numba": 9.0}  # import, first call, certificate
OTHERS_S = 12.0  # of frameworks that have no line
TORCH_COMPILED_S = 25.0
START_S = {"numpy": 0.5, "torch": 2.5, "jax": 2.5, "numba": 1.5}  # in a block: compiled programs are kept
TORCH_COMPILED_START_S = 6.0
ANOTHER = 1 / 3  # of a start: what a further task adds to it
SLICE_S = 0.12  # with what surrounds the timed part
AUDIT_S = 0.4
LIMITS_S = 10.0  # measuring what the machine can do
JOBS = Effort(name="default", blocks=1).jobs
PHASES_S = 10.0  # of a task and lane


def expected(request: RunRequest) -> dict[str, float]:
    """Seconds of each stage of a run, in their order: certificates, the machine's limits, blocks, phases."""
    jobs = min(request.effort.jobs, len(allowed_cpus()))
    certificates = sum(_cold(lane) for _, lane in request.pairs)
    again = certificates * (request.effort.cold - 1) / 2  # without a certificate, one by one
    seconds = {
        "certify": certificates / jobs + again,
        "ceilings": LIMITS_S * len(request.tasks),
        "race": request.effort.blocks * block(request),
    }
    return seconds | ({"phases": PHASES_S * len(request.pairs)} if request.phases else {})


def of_certificates(pairs: Sequence[Pair]) -> dict[str, float]:
    """Seconds of certificates alone, side by side as in a run."""
    return {"certify": sum(_cold(lane) for _, lane in pairs) / min(JOBS, len(allowed_cpus()))}


def block(request: RunRequest) -> float:
    """Seconds of one block: the start of its workers, rounds of a slice for each lane and the twin, audits."""
    cpus = len(allowed_cpus())
    starts = sum(start_s(*_kind(lane)) for lane in request.lanes) / cpus + OTHERS_S / cpus
    slots = {task.name: 1 + sum(name == task.name for name, _ in request.pairs) for task in request.tasks}
    fewest, most = request.effort.rounds
    rounds = {
        task: min(max(request.effort.block_seconds / (SLICE_S * count), fewest), most)
        for task, count in slots.items()
    }
    starts *= 1 + ANOTHER * (len(request.tasks) - 1)
    controls = len(CONTROLS) / request.effort.controls  # of each lane, on average
    slices = sum(count * (rounds[task] + controls) for task, count in slots.items())
    return starts + slices * SLICE_S + sum(slots.values()) * AUDIT_S / min(request.effort.jobs, cpus)


def _cold(lane: str) -> float:
    framework, torch_compiled = _kind(lane)
    return TORCH_COMPILED_S if torch_compiled else COLD_S.get(framework, OTHERS_S)


def start_s(framework: str, torch_compiled: bool) -> float:
    """Seconds of CPU time until the worker of a lane of such a kind is ready for a block."""
    return TORCH_COMPILED_START_S if torch_compiled else START_S.get(framework, OTHERS_S)


def _kind(lane: str) -> tuple[str, bool]:
    """The framework of a lane, and whether it is a compiled one of torch."""
    kind = class_of(lane)
    if kind is None:  # of a run that goes on elsewhere: it says so itself
        return "", False
    return kind.framework, kind.framework == "torch" and kind.traits.compiled != "no"
