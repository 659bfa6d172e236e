"""The walk of the lesson in several lanes: pure data out, nothing printed."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations

from samestep import backends
from samestep.backends.spec import Normal, Synthetic, Task

from .. import datasets, parity, tasks
from ..accuracy.scores import accuracy
from ..console.choices import by_reason, pick
from ..console.errors import InputError
from ..console.progress import Progress, silent
from ..datasets import Split
from . import catalog, lane
from .models import LaneReport, LessonSetting, Walk
from .quotations import quotations
from .training import LessonLane, Params, equality, nan_if_none, numbers

LANES = ("numpy", "torch", "jax")
LARGEST_BATCH = 1000
STAGES = 1 + len(lane.STAGES)  # of a lane, with its import
LONGEST_REASON = 200  # of a lane's own error


def walk(lanes: Sequence[str] = LANES, *, batch_size: int = 10, progress: Progress = silent) -> Walk:
    """Walk S1 to S13 in every lane. A lane that cannot run here, or fails, is there with the reason.

    Raises:
        InputError: a lane that nobody registered, none that can run here, or a batch size outside 1 to 1000.
    """
    if not 1 <= batch_size <= LARGEST_BATCH:
        raise InputError(
            f"--batch {batch_size}: the lesson has {LARGEST_BATCH} rows; take 1 to {LARGEST_BATCH}"
        )
    task = tasks.get("lesson").model_copy(update={"batch_size": batch_size})
    chosen, missing = _lanes(lanes, task)
    split = datasets.load(task.dataset)
    start = parity.initial_parameters(task)
    setting = _setting(task, split, start)
    reports: list[LaneReport] = []
    final_params: dict[str, Params] = {}
    total = STAGES * len(chosen)
    for done, name in enumerate(chosen):
        begun = _reporter(progress, STAGES * done, total, name)
        begun(0, "importing")
        if name in missing:
            reports.append(LaneReport(name=name, missing=missing[name]))
            continue
        try:
            report, final_params[name] = _lane(name, task, split, start, setting, begun)
        except Exception as error:  # whatever goes wrong in one lane concerns that lane alone
            report = _failed(name, error)
        reports.append(report)
    progress("lesson", total, total, "done")
    return _assembled(task, setting, reports, final_params)


def _reporter(progress: Progress, before: int, total: int, name: str) -> lane.StageBegun:
    """What hears of the stages of a lane, so many of which came before it."""

    def begun(stage: int, what: str) -> None:
        progress("lesson", before + stage, total, f"{name}: {what}")

    return begun


def _failed(name: str, error: Exception) -> LaneReport:
    reason = " ".join(f"it fails: {type(error).__name__}: {error}".split())
    return LaneReport(name=name, missing=reason[:LONGEST_REASON], failed=True)


def _assembled(
    task: Task, setting: LessonSetting, lanes: Sequence[LaneReport], final_params: dict[str, Params]
) -> Walk:
    """What the lanes did, how near they ended, and the tables that are the same for all."""
    return Walk(
        setting=setting,
        lanes=tuple(lanes),
        between_lanes=tuple(
            equality(a, b, final_params[a], final_params[b]) for a, b in combinations(final_params, 2)
        ),
        deeper_layers=tasks.layer_names(lane.deeper(task)),
        losses=catalog.loss_rows(),
        initialisers=catalog.initializer_rows(),
        gains=catalog.gain_rows(),
    )


def _lanes(lanes: Sequence[str], task: Task) -> tuple[tuple[str, ...], dict[str, str]]:
    """The lanes without repeats, the three of the lesson when none is named; why some cannot run it here."""
    chosen = tuple(dict.fromkeys(pick("lane", lane, backends.names()) for lane in lanes or LANES))
    reasons = {lane: backends.missing(lane) or backends.unsupported(lane, task) for lane in chosen}
    missing = {lane: reason for lane, reason in reasons.items() if reason}
    if len(missing) == len(chosen):
        raise InputError(f"no lane can run here: {by_reason(missing)}")
    return chosen, missing


def _setting(task: Task, split: Split, start: Params) -> LessonSetting:
    """S1, and the digests that every lane must share."""
    dataset, initializer = task.dataset, task.init.weight
    if not (isinstance(dataset, Synthetic) and isinstance(initializer, Normal) and split.truth is not None):
        raise TypeError("the lesson is synthetic data with a known truth, and a normal start")
    x, y = split.rounded(task.dtype)
    steps = task.steps(len(x))
    return LessonSetting(
        rows=len(x),
        features=x.shape[1],
        labels_shape=y.shape,
        weights=numbers(split.truth[0]),
        bias=split.truth[1],
        noise=dataset.noise,
        batch_size=task.batch_size,
        steps_per_epoch=steps,
        last_batch=len(x) - (steps - 1) * task.batch_size,
        epochs=task.epochs,
        learning_rate=task.optimizer.learning_rate,
        initial_std=initializer.std,
        dtype=task.dtype,
        seed=task.seed,
        best_loss=nan_if_none(accuracy(task, split, start).best_loss),
        data=lane.digest_data(x, y),
        order=lane.digest_of_orders([task.row_order(len(x), epoch) for epoch in range(task.epochs)]),
        start=parity.digest(start),
    )


def _lane(
    name: str, task: Task, split: Split, start: Params, setting: LessonSetting, begun: lane.StageBegun
) -> tuple[LaneReport, Params]:
    """One lane, and its trained parameters."""
    backend = backends.load(name)
    with backend.precision(task.dtype):
        x, y = split.rounded(task.dtype)
        lesson_lane = LessonLane(backend, task, split, start, (backend.put(x), backend.put(y)))
        lane_walk, params = lane.walk_lane(lesson_lane, setting, begun)
    traits = backend.traits
    report = LaneReport(
        name=name,
        missing=None,
        framework=backend.framework,
        tier=backend.tier,
        form=f"gradient {traits.gradient}, buffers {traits.buffers}, compiled: {traits.compiled}",
        versions=backend.versions(),
        words=quotations(backend.framework),
        walk=lane_walk,
    )
    return report, params
