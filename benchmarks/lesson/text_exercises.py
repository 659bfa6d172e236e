"""The other exercises and the deeper chain as plain text: S10 to S13."""

from __future__ import annotations

from itertools import groupby

from rich.table import Table as RichTable

from .figures import loss, named_shape, pair, tensors, vector
from .models import InitializerRow, LaneReport, LaneWalk
from .page import NOT_HERE, Cell, LaneRow, Page, wrapped


def exercises(page: Page) -> None:
    """The second and third exercise, and the deeper chain."""
    for section in (losses, huber, initializers, gradients, deeper):
        section(page)


def losses(page: Page) -> None:
    """S10: the losses, by every framework's name for them."""
    page.heading("S10", "EXERCISE 2  the losses, with each framework's name for them")
    page.show(
        "e = prediction - target, x the prediction, t or y the target, p = softmax(x). NumPy has the formula. "
        "The value is that of one small example, with default options."
    )
    table = RichTable(box=None, pad_edge=False, padding=(0, 2, 0, 0))
    room = (page.width - 26) // 2  # 22 for the longest name, two gaps
    for head in ("loss, value", "PyTorch, JAX", "formula"):
        table.add_column(head)
    for row in page.walk.losses:
        jax = "the formula, in jax.numpy" if row.jax_name == "formula" else row.jax_name
        value = f"  {page.first.loss_values[row.name]:.6f}"
        names = wrapped(f"nn.{row.torch_name}\n{jax}", room)
        table.add_row(f"{row.name}\n{value}", names, wrapped(row.formula, room))
    page.show(table)
    if len(page.lanes_run) > 1:
        worst = max(page.walk.losses, key=lambda row: _spread(page, row.name)).name
        page.show(
            f"Between the lanes the values differ by at most {_spread(page, worst):.1e} of themselves ({worst})."
        )


def _spread(page: Page, name: str) -> float:
    """The largest relative difference between lanes."""
    values = [lane.loss_values[name] for _, lane in page.lanes_run]
    return (max(values) - min(values)) / abs(max(values))


def huber(page: Page) -> None:
    """S10: the lesson's Huber loss."""
    example = page.first.huber
    page.heading("S10", f"EXERCISE 2  mse replaced by the lesson's Huber loss, sigma = {example.sigma:g}")
    page.show("l = abs(e) - sigma/2 where abs(e) > sigma, else e^2 / (2 sigma)")
    page.lanes(
        [
            ("", lambda _: pair("epoch 1", f"epoch {page.setting.epochs}")),
            ("its loss", lambda lane: pair(loss(lane.huber.losses[0]), loss(lane.huber.losses[-1]))),
            ("squared error", lambda lane: pair(loss(lane.huber.means[0]), loss(lane.huber.means[-1]))),
            ("error in w", lambda lane: vector(lane.huber.weights_error, "+.1e")),
            ("error in b", lambda lane: f"{lane.huber.bias_error:+.1e}"),
            *(_relation(index, relation.sigma) for index, relation in enumerate(example.relations)),
        ]
    )
    page.show(
        "The lesson's Huber is PyTorch's SmoothL1Loss(beta=sigma). HuberLoss(delta=sigma) and "
        "optax.huber_loss(delta=sigma) are sigma times it, gradients included, on the same residuals: "
        "those of the shared start. At sigma 1 the two coincide, and the difference cannot be seen."
    )


def _relation(index: int, sigma: float) -> LaneRow:
    """Both losses at one sigma, in one row of several lines."""

    def cell(lane: LaneWalk) -> str:
        relation = lane.huber.relations[index]
        values = f"{relation.smooth_l1:.6f}\n{relation.huber:.6f}"
        return f"\n{values}\n{relation.ratio:.6g}\n{relation.gradient_ratio:.6g}"

    return f"at sigma {sigma:g}\n  SmoothL1\n  Huber\n  ratio\n  of gradients", cell


def initializers(page: Page) -> None:
    """S11: initializers and gains."""
    page.heading("S11", "EXERCISE 2  the initializers, and 20,000 weights (200, 100) drawn by each")
    page.lanes(
        [
            (
                row.name + ("" if row.std is None else f"\n  sd {row.std:.4f}"),
                _initializer_cells(page, row, index),
            )
            for index, row in enumerate(page.walk.initialisers)
        ]
    )
    page.show("Standard deviation (sd) of each distribution", _standard_deviations(page))
    page.show("Recommended gains (leaky_relu at its default slope of 0.01)", _gains(page))


def _initializer_cells(page: Page, row: InitializerRow, index: int) -> list[str]:
    """What each framework calls it, and the standard deviation that its lane drew."""

    def cell(lane: LaneReport) -> str:
        if lane.walk is None:
            return NOT_HERE
        name = row.names.get(lane.framework or "", "(in the lane's own file)")
        return f"{name}\n  sd {lane.walk.initialisers[index].std:.4f}"

    return [cell(lane) for lane in page.walk.lanes]


def _standard_deviations(page: Page) -> RichTable:
    table = RichTable.grid(padding=(0, 2))
    for formula, rows in groupby(page.walk.initialisers, key=lambda row: row.law):
        table.add_row("  " + ", ".join(row.name for row in rows), formula)
    return table


def _gains(page: Page) -> RichTable:
    table = RichTable.grid(padding=(0, 2))
    for formula in dict.fromkeys(row.formula for row in page.walk.gains):
        rows = [row for row in page.walk.gains if row.formula == formula]
        table.add_row(f"  {formula}", f"{rows[0].gain:.6f}", ", ".join(row.nonlinearity for row in rows))
    return table


def gradients(page: Page) -> None:
    """S12: the gradient of every parameter."""
    page.heading("S12", "EXERCISE 3  the gradient of every parameter, before the last update")
    page.lanes(
        [
            ("last batch", lambda lane: tensors(lane.exercise3.last_batch, "+.2e")),
            ("all rows", lambda lane: tensors(lane.exercise3.all_rows, "+.2e")),
        ]
    )
    data_set = "It is not that of the data set, which needs a forward and backward pass over all rows."
    if page.setting.last_batch == page.setting.rows:
        data_set = "Here that batch is the whole data set; at a smaller batch the two differ."
    page.show(f"What a framework holds after training is the gradient of the last batch. {data_set}")


def deeper(page: Page) -> None:
    """S13: another model, the same loop."""
    page.heading("S13", f"A DEEPER CHAIN through the same loop: {', '.join(page.walk.deeper_layers)}")
    page.lanes(
        [
            ("parameters", lambda lane: "\n".join(map(named_shape, lane.deeper.parameters))),
            ("before", lambda lane: loss(lane.deeper.before)),
            *((f"epoch {epoch + 1}", _deeper_loss(epoch)) for epoch in range(page.setting.epochs)),
        ]
    )
    page.show("Only the list of layers and the start changed; the data are linear, so depth does not help.")


def _deeper_loss(epoch: int) -> Cell:
    return lambda lane: loss(lane.deeper.losses[epoch])
