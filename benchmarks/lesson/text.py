"""The walk as plain text, at most `width` columns: S1 to S8. The exercises are in text_exercises.py."""

from __future__ import annotations

from collections.abc import Sequence

from .layout import NARROWEST, counted, loss, pair, rows, small, vector
from .models import LaneWalk, Walk
from .sections import NOT_HERE, Page, apart, tensors
from .text_exercise1 import exercise1
from .text_exercises import exercises


def render(walk: Walk, *, width: int = 100) -> str:
    """The whole walk; every lane is a column, one that cannot run here too. Where no lane has run: why.

    Raises:
        ValueError: fewer than 80 columns.
    """
    if width < NARROWEST:
        raise ValueError(f"the lesson needs {NARROWEST} columns or more, not {width}")
    page = Page(walk, width)
    if not page.walked:
        return "\n".join(title(page)) + "\n"
    sections = (title, data, iterator, model, objective, one_step, training, estimate)
    lines = [line for section in sections for line in section(page)]
    return "\n".join(lines + exercise1(page) + exercises(page) + notebook(page)) + "\n"


def title(page: Page) -> list[str]:
    """What this is, and who takes part."""
    lines = ["THE LESSON  linear regression, the same in every framework", "=" * page.width, ""]
    lines += page.prose(
        "The walk of Dive into Deep Learning, sections 3.2 and 3.3 with its exercises (here: the text), in rows "
        "S1 to S13. Every number is computed now, except those that are called the text's. Code is quoted from "
        "each framework's documented lane. ULP: a unit in the last place."
    )
    table = page.table()
    about = [
        lane.missing if lane.missing is not None else _versions(lane.versions or {})
        for lane in page.walk.lanes
    ]
    table.add("", about)
    table.add("form", [NOT_HERE if lane.form is None else lane.form for lane in page.walk.lanes])
    return [*lines, "", *table.lines()]


def _versions(versions: dict[str, str]) -> str:
    return ", ".join(f"{name} {version}" for name, version in versions.items())


def data(page: Page) -> list[str]:
    """S1: the law of the data, and that all lanes hold the same."""
    s = page.setting
    last = "all of them full" if s.last_batch == s.batch_size else f"the last of {rows(s.last_batch)}"
    last = "on all rows" if s.steps_per_epoch == 1 else last
    lines = page.heading("S1", "THE DATA  y = X w + b + noise, with X ~ N(0, 1)")
    lines += page.prose(
        f"{s.rows} rows of {s.features} features, labels of shape {s.labels_shape}; "
        f"w = {vector(s.weights, 'g')}, b = {s.bias:g}, noise sd {s.noise:g}. "
        f"Batch {s.batch_size}: {counted(s.steps_per_epoch, 'step')} an epoch, {last}. "
        f"{s.epochs} epochs at learning rate {s.learning_rate:g}, seed {s.seed}, {s.dtype}."
    )
    table = page.table()
    table.add("data", page.each(lambda lane: lane.held.data[:16]))
    table.add("order", page.each(lambda lane: lane.held.order[:16]))
    table.add("start", page.each(lambda lane: lane.held.start[:16]))
    table.add("shared", page.each(lambda lane: "yes" if lane.held.same else "NO"))
    shared = all(lane.held.same for lane in page.walked)
    verdict = (
        "all of them share data, order and start" if shared else "they do NOT share data, order and start"
    )
    said = f"SHA-256 of what each lane holds, read back from it: {verdict}."
    return [*lines, "", *table.lines(), "", *page.prose(said)]


def iterator(page: Page) -> list[str]:
    """S2: batches by hand, in the shared order and as the rows are stored."""
    lines = page.heading("S2", "A DATA ITERATOR over (features, labels)")
    table = page.table()
    page.said(table, "S2")
    table.add("first batch, shuffled", page.each(lambda lane: _rows(lane.iterator.training.rows)))
    table.add("  as x; y", page.each(lambda lane: _examples(lane)))
    table.add("first batch, as stored", page.each(lambda lane: _rows(lane.iterator.evaluation.rows)))
    table.add("own shuffler", page.each(lambda lane: _rows(lane.iterator.own.rows)))
    table.add("every epoch", page.each(lambda lane: _passes(lane)))
    return [
        *lines,
        *table.lines(),
        "",
        *page.prose(
            "The text's iterator has a training flag that turns shuffling on. Here the order is an input like "
            "the data: to train, it is drawn once for each epoch, one for all lanes, so that runs can be "
            "compared; to evaluate, it is that of the rows as stored. The frameworks' own shufflers do not "
            "agree, whatever the seed."
        ),
    ]


def _rows(rows: Sequence[int]) -> str:
    shown = " ".join(str(row) for row in rows[:10])
    return f"rows {shown}" + (" ..." if len(rows) > 10 else "")


def _examples(lane: LaneWalk) -> str:
    first = lane.iterator.training
    pairs = zip(first.features, first.labels, strict=True)
    return "\n".join(" ".join(f"{x:+.3f}" for x in row) + f"; {y:+.3f}" for row, y in pairs)


def _passes(lane: LaneWalk) -> str:
    full = "every row once" if lane.iterator.full_passes else "NOT every row once"
    return full + (", in a new order" if lane.iterator.new_order_each_epoch else ", in the SAME order")


def model(page: Page) -> list[str]:
    """S3 and S4: the chain, and its parameters by hand."""
    s = page.setting
    table = page.table()
    page.said(table, "S3")
    chain = page.heading("S3", f"THE MODEL  a Sequential chain: Linear({s.features}, 1)") + table.lines()
    hand = page.table()
    page.said(hand, "S4")
    hand.add("own draw", page.each(lambda lane: tensors(lane.model.drawn)))
    hand.add("replaced by", page.each(lambda lane: tensors(lane.model.start)))
    hand.add(
        "read back",
        page.each(lambda lane: "bit for bit" if lane.model.replaced_exactly else "NOT what was given"),
    )
    law = f"weight ~ N(0, {s.initial_std:g}^2), bias 0"
    return chain + page.heading("S4", f"INITIALISED BY HAND, replaced in place: {law}") + hand.lines()


def objective(page: Page) -> list[str]:
    """S5 and S6: loss and optimizer."""
    loss_table, sgd = page.table(), page.table()
    page.said(loss_table, "S5")
    page.said(sgd, "S6")
    return [
        *page.heading("S5", "THE LOSS  mean squared error, mean over the batch, no factor one half"),
        *loss_table.lines(),
        *page.heading("S6", f"THE OPTIMISER  minibatch SGD at learning rate {page.setting.learning_rate:g}"),
        *sgd.lines(),
    ]


def one_step(page: Page) -> list[str]:
    """S7: the four parts of a step in each framework's words, and its numbers."""
    table = page.table()
    page.said(table, "S7")
    table.add("first loss", page.each(lambda lane: loss(lane.step.loss)))
    table.add("first gradient", page.each(lambda lane: tensors(lane.step.gradients)))
    table.add("after update", page.each(lambda lane: tensors(lane.step.after)))
    return page.heading("S7", "ONE STEP  forward, clear gradients, backward, update") + table.lines()


def training(page: Page) -> list[str]:
    """S7: the loss of every epoch, the share of the allowed rounding, the best possible loss."""
    table = page.table()
    table.add("", page.each(lambda _: pair("loss", "above best")))
    for epoch in range(page.setting.epochs):
        table.add(f"epoch {epoch + 1}", page.item(_epochs, epoch, str))
    table.add("best possible", page.each(lambda _: pair(loss(page.setting.best_loss), "0")))
    table.add("parity", page.each(lambda lane: lane.training.certificate.status))
    table.add("allowed rounding used", page.each(_shares))
    reasons = [
        page.prose(f"{lane.name}: {lane.walk.training.certificate.reason}")
        for lane in page.walk.lanes
        if lane.walk is not None and lane.walk.training.certificate.status != "pass"
    ]
    between = [f"{each.left} and {each.right} {apart(each)}" for each in page.walk.between_lanes]
    return [
        *page.heading("S7", "LOSS  on all rows after each epoch, as each lane computes it"),
        *table.lines(),
        "",
        *page.prose(
            "The best possible loss is that of the exact least-squares solution. The text saw 0.000270, "
            "0.000100, 0.000100, with other random numbers. Allowed rounding is the most that one step in "
            f"{page.setting.dtype} can be off; the share is that of the worst step.",
        ),
        *(page.prose("Final parameters: " + "; ".join(between) + ".") if between else []),
        *(line for reason in reasons for line in reason),
    ]


def _epochs(lane: LaneWalk) -> list[str]:
    pairs = zip(lane.training.losses, lane.training.above_best, strict=True)
    return [pair(loss(value), small(above)) for value, above in pairs]


def _shares(lane: LaneWalk) -> str:
    return "\n".join(f"{share:.0%} ({name})" for name, share in lane.training.certificate.shares.items())


def estimate(page: Page) -> list[str]:
    """S8: what was learned, and its error."""
    table = page.table()
    table.add("w", page.each(lambda lane: vector(lane.training.weights)))
    table.add("b", page.each(lambda lane: f"{lane.training.bias:+.6f}"))
    table.add("error in w", page.each(lambda lane: vector(lane.training.weights_error, "+.1e")))
    table.add("error in b", page.each(lambda lane: f"{lane.training.bias_error:+.1e}"))
    return [
        *page.heading("S8", "PARAMETERS  the estimate, and its error: estimate - truth"),
        *table.lines(),
        "",
        *page.prose("The text saw errors of about 6e-4, 5e-4 and 2e-4."),
    ]


def notebook(page: Page) -> list[str]:
    """For readers whose numbers are others."""
    return [
        *page.heading("NOTE", "IF YOUR NOTEBOOK SHOWS OTHER NUMBERS"),
        *page.prose(
            "Another seed draws other data, another order and another start; a loss with the factor one half "
            "takes half the step; a summed loss takes a step larger by the batch, and prints a sum over rows."
        ),
    ]
