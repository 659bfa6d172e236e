"""The right features with targets that are not those of the rows, or that were changed on the way."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial

import numpy as np

from samestep.backends.interface import Host, RowOrder

from ..case import MOST_PLAYED, Case, Outcome, StepSnapshot, Variation
from .row_variations import Choose, RowChoice, row_choices


def of_targets(case: Case) -> Iterator[Variation]:
    """Targets of other rows, and changed ones."""
    choices = [choice for choice in row_choices(case) if choice.cause in ("rows", "stale", "labels")]
    for choice in (*choices, *choices_within_batch()):
        yield from mispaired(case, choice)
    yield broadcast(case)
    for description, change in changes(case):
        yield changed(case, description, change)


def mispaired(case: Case, choice: RowChoice) -> Iterator[Variation]:
    """Features of some rows with the targets of others, both ways."""
    x, y = case.workload.x, case.workload.y

    def rows(snapshot: StepSnapshot) -> RowOrder | None:
        chosen = choice.rows(snapshot)
        return None if chosen is None or len(chosen) != len(snapshot.rows) else chosen

    def other_targets(snapshot: StepSnapshot) -> Outcome | None:
        chosen = rows(snapshot)
        return None if chosen is None else case.play(snapshot, x[snapshot.rows], y[chosen])

    def other_features(snapshot: StepSnapshot) -> Outcome | None:
        chosen = rows(snapshot)
        return None if chosen is None else case.play(snapshot, x[chosen], y[snapshot.rows])

    yield Variation("labels", f"the right features with the targets of {choice.description}", other_targets)
    yield Variation("labels", f"the right targets with the features of {choice.description}", other_features)


def choices_within_batch() -> list[RowChoice]:
    """Rows of the same batch in another arrangement."""
    table: list[tuple[str, Choose]] = [
        ("the batch in reverse", lambda s: s.rows[::-1]),
        ("the row before in the batch", lambda s: np.roll(s.rows, 1)),
        ("the row after in the batch", lambda s: np.roll(s.rows, -1)),
        ("the first row of the batch", lambda s: np.repeat(s.rows[:1], len(s.rows))),
        ("the batch in ascending order", lambda s: np.sort(s.rows)),
    ]
    return [RowChoice("labels", description, choose) for description, choose in table]


def broadcast(case: Case) -> Variation:
    """Every row against every target."""
    x, y = case.workload.x, case.workload.y

    def play(snapshot: StepSnapshot) -> Outcome | None:
        rows, n = snapshot.rows, len(snapshot.rows)
        if y.dtype.kind != "f" or n * n * x.shape[1] > MOST_PLAYED:
            return None
        return case.play(snapshot, x[np.repeat(rows, n)], y[np.tile(rows, n)])

    return Variation("labels", "every row against every target: (n, 1) against (n,) makes (n, n)", play)


# --- changed targets ------------------------------------------------------------------------------------------


def changed(case: Case, description: str, change: Callable[[Host], Host]) -> Variation:
    """The targets of a batch, changed."""

    def play(snapshot: StepSnapshot) -> Outcome | None:
        x, y = case.batch(snapshot)
        try:
            with np.errstate(all="ignore"):
                return case.play(snapshot, x, change(y))
        except (ValueError, IndexError):
            return None  # the loss does not take such targets

    return Variation("labels", description, play)


def changes(case: Case) -> Iterator[tuple[str, Callable[[Host], Host]]]:
    """What happens to targets on the way, by their kind."""
    y = case.workload.y
    if y.dtype.kind != "f":
        yield from changed_classes(case)
        return
    (outputs,) = next(reversed(case.workload.task.parameters.values()))
    mean, std, low, width = y.mean(axis=0), y.std(axis=0), y.min(axis=0), np.ptp(y, axis=0)
    yield "targets sorted within the batch", lambda t: np.sort(t, axis=0)
    yield "targets of the other sign", lambda t: -t
    yield "targets of zero", lambda t: t * 0
    yield "the batch's mean target for every row", lambda t: t * 0 + t.mean(axis=0)
    yield "the batch's targets less their mean", lambda t: t - t.mean(axis=0)
    yield "targets less their mean over all rows", lambda t: t - mean
    yield "targets standardized over all rows", lambda t: (t - mean) / std
    yield "targets scaled to [0, 1] over all rows", lambda t: (t - low) / width
    yield "targets rounded to whole numbers", np.round
    yield "targets cut to whole numbers", np.trunc
    yield "the logarithm of the targets", np.log
    yield "the logarithm of one plus the targets", np.log1p
    if outputs > 1 and y.ndim == 2:
        yield "the targets' columns in reverse order", lambda t: t[:, ::-1]
        yield "the targets' columns moved by one", lambda t: np.roll(t, 1, axis=1)
        yield (
            "the first column of the targets for every output",
            lambda t: np.repeat(t[:, :1], t.shape[1], axis=1),
        )
    values = set(np.unique(y[:1000]).tolist())
    if values <= {0.0, 1.0}:
        yield "targets 0 and 1 exchanged", lambda t: 1 - t
        yield "targets -1 and 1 for 0 and 1", lambda t: 2 * t - 1
    if values <= {-1.0, 1.0}:
        yield "targets 0 and 1 for -1 and 1", lambda t: (t + 1) / 2
    for smoothing in (0.05, 0.1, 0.2):
        if values <= {0.0, 1.0}:
            yield f"targets smoothed by {smoothing:g}", partial(smoothed, smoothing)


def changed_classes(case: Case) -> Iterator[tuple[str, Callable[[Host], Host]]]:
    """Integer targets: off by one, reversed, exchanged."""
    (outputs,) = next(reversed(case.workload.task.parameters.values()))
    ignored = case.workload.task.loss.arguments.get("ignore_index", -100)
    if case.workload.y.ndim != 1:
        return

    def of_classes(change: Callable[[Host], Host]) -> Callable[[Host], Host]:
        return lambda t: np.where(t == ignored, t, change(t))

    last = outputs - 1
    yield "classes off by one, too high, the last one the first", of_classes(lambda t: (t + 1) % outputs)
    yield "classes off by one, too low, the first one the last", of_classes(lambda t: (t - 1) % outputs)
    yield "classes off by one, too high, the last one kept", of_classes(lambda t: np.minimum(t + 1, last))
    yield "classes off by one, too low, the first one kept", of_classes(lambda t: np.maximum(t - 1, 0))
    yield "classes counted from the last one", of_classes(lambda t: last - t)
    yield "classes of the ignored rows, taken for the last one", lambda t: np.where(t == ignored, last, t)
    yield "classes of the ignored rows, taken for the first one", lambda t: np.where(t == ignored, 0, t)
    yield "class 0 for every row", of_classes(lambda t: t * 0)
    yield "classes sorted within the batch", np.sort
    for smaller in range(2, outputs):
        yield f"classes modulo {smaller}", of_classes(partial(modulo, smaller))


def smoothed(smoothing: float, targets: Host) -> Host:
    """Targets 0 and 1, moved towards one half."""
    return np.asarray(targets * (1 - smoothing) + smoothing / 2)


def modulo(classes: int, targets: Host) -> Host:
    """Targets modulo a smaller number of classes."""
    return np.asarray(targets % classes)
