"""The walk as plain text: S1 to S8. The exercises are in text_exercise1.py and text_exercises.py."""

from __future__ import annotations

from collections.abc import Sequence

from ..console.choices import counted
from .figures import difference, loss, small, tensors, vector
from .models import LaneWalk, Walk
from .page import NOT_HERE, Page
from .text_exercise1 import exercise1
from .text_exercises import exercises


def render(walk: Walk, *, width: int = 100) -> str:
    """The whole walk; every lane is a column, one that cannot run here too. Where no lane has run: why.

    Raises:
        ValueError: fewer than 80 columns.
    """
    page = Page(walk, width)
    title(page)
    if page.lanes_run:
        for section in (data, iterator, model, objective, one_step, training, estimate):
            section(page)
        exercise1(page)
        exercises(page)
        notebook(page)
    return page.text()


def title(page: Page) -> None:
    """What this is, and who takes part."""
    page.heading("THE LESSON", "linear regression, the same in every framework")
    page.show(
        "The walk of Dive into Deep Learning, sections 3.2 and 3.3 with its exercises (here: the text), in rows "
        "S1 to S13. Every number is computed now, except those that are called the text's. Code is quoted from "
        "each framework's documented lane. ULP: a unit in the last place.",
    )
    lanes = page.walk.lanes
    versions = [
        ", ".join(f"{name} {version}" for name, version in (lane.versions or {}).items()) for lane in lanes
    ]
    page.lanes(
        [
            ("versions", [lane.missing or text for lane, text in zip(lanes, versions, strict=True)]),
            ("form", [lane.form or NOT_HERE for lane in lanes]),
        ]
    )


def data(page: Page) -> None:
    """S1: how the data are made, and that all lanes hold the same."""
    s = page.setting
    last = (
        "all of them full" if s.last_batch == s.batch_size else f"the last of {counted(s.last_batch, 'row')}"
    )
    last = "on all rows" if s.steps_per_epoch == 1 else last
    page.heading("S1", "THE DATA  y = X w + b + noise, with X ~ N(0, 1)")
    page.show(
        f"{s.rows} rows of {s.features} features, labels of shape {s.labels_shape}; "
        f"w = {vector(s.weights, 'g')}, b = {s.bias:g}, noise sd {s.noise:g}. "
        f"Batch {s.batch_size}: {counted(s.steps_per_epoch, 'step')} an epoch, {last}. "
        f"{s.epochs} epochs at learning rate {s.learning_rate:g}, seed {s.seed}, {s.dtype}."
    )
    page.lanes(
        [
            ("data", lambda lane: lane.held.data[:16]),
            ("order", lambda lane: lane.held.order[:16]),
            ("start", lambda lane: lane.held.start[:16]),
            ("shared", lambda lane: "yes" if lane.held.same else "NO"),
        ]
    )
    shared = "all of them" if all(lane.held.same for _, lane in page.lanes_run) else "they do NOT"
    page.show(f"SHA-256 of what each lane holds, read back from it: {shared} share data, order and start.")


def iterator(page: Page) -> None:
    """S2: batches by hand, in the shared order and as the rows are stored."""
    page.heading("S2", "A DATA ITERATOR over (features, labels)")
    page.lanes(
        [
            *page.quotations("S2"),
            ("first batch, shuffled", lambda lane: _rows(lane.iterator.training.rows)),
            ("  as x; y", _examples),
            ("first batch, as stored", lambda lane: _rows(lane.iterator.evaluation.rows)),
            ("first batch, own shuffler", lambda lane: _rows(lane.iterator.own.rows)),
            ("every epoch", _passes),
        ]
    )
    page.show(
        "The text's iterator has a training flag that turns shuffling on. Here the order is an input like "
        "the data. To train, it is drawn once for each epoch, one for all lanes, so that runs can be "
        "compared. To evaluate, it is that of the rows as stored. The frameworks' own shufflers do not "
        "agree, whatever the seed."
    )


def _rows(rows: Sequence[int]) -> str:
    shown = " ".join(str(row) for row in rows[:10])
    return f"rows {shown}" + (" ..." if len(rows) > 10 else "")


def _examples(lane: LaneWalk) -> str:
    batch = lane.iterator.training
    examples = zip(batch.features, batch.labels, strict=True)
    return "\n".join(" ".join(f"{x:+.3f}" for x in row) + f"; {y:+.3f}" for row, y in examples)


def _passes(lane: LaneWalk) -> str:
    full = "every row once" if lane.iterator.full_passes else "NOT every row once"
    return full + (", in a new order" if lane.iterator.new_order_each_epoch else ", in the SAME order")


def model(page: Page) -> None:
    """S3 and S4: the chain, and its parameters by hand."""
    s = page.setting
    page.heading("S3", f"THE MODEL  a Sequential chain: Linear({s.features}, 1)")
    page.lanes(page.quotations("S3"))
    page.heading("S4", f"INITIALIZED BY HAND, replaced in place: weight ~ N(0, {s.initial_std:g}^2), bias 0")
    page.lanes(
        [
            *page.quotations("S4"),
            ("own draw", lambda lane: tensors(lane.model.drawn)),
            ("replaced by", lambda lane: tensors(lane.model.start)),
            (
                "read back",
                lambda lane: "bit for bit" if lane.model.replaced_exactly else "NOT what was given",
            ),
        ]
    )


def objective(page: Page) -> None:
    """S5 and S6: loss and optimizer."""
    page.heading("S5", "THE LOSS  mean squared error, mean over the batch, no factor one half")
    page.lanes(page.quotations("S5"))
    page.heading("S6", f"THE OPTIMIZER  minibatch SGD at learning rate {page.setting.learning_rate:g}")
    page.lanes(page.quotations("S6"))


def one_step(page: Page) -> None:
    """S7: the four parts of a step in each framework's words, and its numbers."""
    page.heading("S7", "ONE STEP  forward, clear gradients, backward, update")
    page.lanes(
        [
            *page.quotations("S7"),
            ("first loss", lambda lane: loss(lane.step.loss)),
            ("first gradient", lambda lane: tensors(lane.step.gradients)),
            ("after update", lambda lane: tensors(lane.step.after)),
        ]
    )


def training(page: Page) -> None:
    """S7: the loss of every epoch, the part of the allowed rounding that was used, the best possible loss."""
    page.heading("S7", "LOSS  on all rows after each epoch, as each lane computes it")
    epochs = "".join(f"\n  epoch {epoch + 1}" for epoch in range(page.setting.epochs))
    page.lanes(
        [
            (f"loss{epochs}", lambda lane: "\n".join(["", *map(loss, lane.training.losses)])),
            ("  best possible", lambda _: loss(page.setting.best_loss)),
            (f"above best{epochs}", lambda lane: "\n".join(["", *map(small, lane.training.above_best)])),
            ("parity", lambda lane: lane.training.certificate.status),
            ("allowed rounding used", _bound_ratios),
        ]
    )
    page.show(
        "The best possible loss is that of the exact least-squares solution. The text saw 0.000270, "
        "0.000100, 0.000100, with other random numbers. Allowed rounding is the most that one step in "
        f"{page.setting.dtype} can be off; what is shown is the worst step."
    )
    if pairs := page.walk.between_lanes:
        between = [f"{pair.left} and {pair.right}: {difference(pair)}" for pair in pairs]
        page.show("Final parameters: " + "; ".join(between) + ".")
    for name, lane in page.lanes_run:
        if lane.training.certificate.status != "pass":
            page.show(f"{name}: {lane.training.certificate.reason}")


def _bound_ratios(lane: LaneWalk) -> str:
    return "\n".join(f"{ratio:.0%} ({name})" for name, ratio in lane.training.certificate.shares.items())


def estimate(page: Page) -> None:
    """S8: what was learned, and its error."""
    page.heading("S8", "PARAMETERS  the estimate, and its error: estimate - truth")
    page.lanes(
        [
            ("w", lambda lane: vector(lane.training.weights)),
            ("b", lambda lane: f"{lane.training.bias:+.6f}"),
            ("error in w", lambda lane: vector(lane.training.weights_error, "+.1e")),
            ("error in b", lambda lane: f"{lane.training.bias_error:+.1e}"),
        ]
    )
    page.show("The text saw errors of about 6e-4, 5e-4 and 2e-4.")


def notebook(page: Page) -> None:
    """For readers whose numbers are others."""
    page.heading("NOTE", "IF YOUR NOTEBOOK SHOWS OTHER NUMBERS")
    page.show(
        "Another seed draws other data, another order and another start. A loss with the factor one half "
        "takes half the step. A summed loss takes a step larger by the batch, and prints a sum over rows."
    )
