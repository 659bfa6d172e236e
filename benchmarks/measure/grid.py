"""A sweep's sizes, one task for each, and its effort: a grid of batches and features, or numbers of rows."""

from __future__ import annotations

from itertools import product

from samestep.backends.spec import SGD, Linear, Synthetic, Task

from .. import datasets
from ..record.plan import Effort
from ..tasks import BY_HAND, MSE_CURVATURE, stability_limit
from .task_files import RUN_STEPS

BATCHES = (1, 8, 64, 512, 4096)


FEATURES = (2, 8, 64, 256, 1024)


SWEEP = Effort(name="sweep", blocks=6, rounds=(3, 5), block_seconds=1.0, kept=2)  # else tens of megabytes


# What a cell's rows may take in memory, and how many there may be: some lanes fetch them one by one.
MOST_BYTES, MOST_ROWS, FEWEST_STEPS = 16 << 20, 1 << 16, 4


HELD_OUT = 100


def cell(batch_size: int, features: int) -> Task:
    """The task of one size: a run's hundred steps, or as many as the limits of the rows allow, at least four.

    The learning rate is half the stability limit of this data.
    """
    rows = min(MOST_ROWS, MOST_BYTES // (4 * features))
    steps = min(max(rows // batch_size, FEWEST_STEPS), RUN_STEPS)
    dataset = Synthetic(rows=steps * batch_size, held_out=HELD_OUT, features=features)
    limit = stability_limit(datasets.load(dataset), batch_size, MSE_CURVATURE)
    return Task(
        name=f"b{batch_size}-f{features}",
        dataset=dataset,
        layers=(Linear(in_features=features, out_features=1),),
        init=BY_HAND,
        optimizer=SGD(learning_rate=float(f"{limit / 2:.2g}")),
        batch_size=batch_size,
        epochs=1,
    )


ROWS = (10**3, 10**4, 10**5, 10**6, 10**7)
ROW_BATCH, ROW_FEATURES = 10, 8
ROW_RATE = 0.05  # half the stability limit of ten million such rows, or less: 2 / (2 (1 + 60 / 10))


def row_counts() -> tuple[Task, ...]:
    """A task for each number of rows; a run is the same hundred steps of ten rows, drawn from all of them."""
    return tuple(
        Task(
            name=f"n{rows}",
            dataset=Synthetic(rows=rows, held_out=HELD_OUT, features=ROW_FEATURES),
            layers=(Linear(in_features=ROW_FEATURES, out_features=1),),
            init=BY_HAND,
            optimizer=SGD(learning_rate=ROW_RATE),
            batch_size=ROW_BATCH,
            epochs=1,
            most_steps=RUN_STEPS,
        )
        for rows in ROWS
    )


def grid(coarse: bool = False) -> tuple[Task, ...]:
    """All cells, by batch size and then by features; the coarse grid has every second of each, ends included."""
    step = 2 if coarse else 1
    return tuple(cell(*size) for size in product(BATCHES[::step], FEATURES[::step]))
