"""The other exercises and the deeper chain as plain text: S10 to S13."""

from __future__ import annotations

from itertools import groupby

from .layout import both, grid, loss, prose, vector
from .models import InitializerRow, Lane, LaneWalk, Relation
from .sections import NOT_HERE, Page, tensors


def exercises(page: Page) -> list[str]:
    """The second and third exercise, and the deeper chain."""
    return [line for section in (losses, huber, initializers, gradients, deeper) for line in section(page)]


def losses(page: Page) -> list[str]:
    """S10: the losses, by every framework's name for them."""
    lines = page.heading("S10", "EXERCISE 2  the losses: our name, PyTorch's, JAX's; a value, the formula")
    lines += page.prose(
        "e = prediction - target, x the prediction, t or y the target, p = softmax(x). NumPy has the formula. "
        "The value is that of one small example, with default options."
    )
    lines.append("")
    for row in page.walk.losses:
        jax = "the formula, in jax.numpy" if row.jax_name == "formula" else row.jax_name
        value = f"{page.first.loss_values[row.name]:.6f}"
        starts = (2, 25, 53)
        lines += grid((row.name, f"nn.{row.torch_name}", jax), starts, page.width)
        lines += grid((value, row.formula), (4, 25), page.width)
    spread = {row.name: _spread(page, row.name) for row in page.walk.losses}
    if len(page.walked) > 1:
        worst = max(spread, key=lambda name: spread[name])
        lines += [
            "",
            *page.prose(
                f"Between the lanes the values differ by at most {spread[worst]:.1e} of themselves ({worst})."
            ),
        ]
    return lines


def _spread(page: Page, name: str) -> float:
    """The largest relative difference between lanes."""
    values = [lane.loss_values[name] for lane in page.walked]
    return (max(values) - min(values)) / abs(max(values))


def huber(page: Page) -> list[str]:
    """S10: the lesson's Huber loss."""
    sigma, relations = page.first.huber.sigma, page.first.huber.relations
    table = page.table()
    table.add("", page.first_and_last())
    table.add("its loss", page.each(lambda lane: both(lane.huber.losses, loss)))
    table.add("squared error", page.each(lambda lane: both(lane.huber.means, loss)))
    table.add("error in w", page.each(lambda lane: vector(lane.huber.weights_error, "+.1e")))
    table.add("error in b", page.each(lambda lane: f"{lane.huber.bias_error:+.1e}"))
    for index, relation in enumerate(relations):
        table.add(f"at sigma {relation.sigma:g}, on one set of residuals", ())
        table.add("  SmoothL1", page.item(_relations, index, lambda found: f"{found.smooth_l1:.6f}"))
        table.add("  Huber", page.item(_relations, index, lambda found: f"{found.huber:.6f}"))
        table.add("  ratio", page.item(_relations, index, lambda found: f"{found.ratio:.6g}"))
        table.add("  of gradients", page.item(_relations, index, lambda found: f"{found.gradient_ratio:.6g}"))
    return [
        *page.heading("S10", f"EXERCISE 2  mse replaced by the lesson's Huber loss, sigma = {sigma:g}"),
        *page.prose("l = abs(e) - sigma/2 where abs(e) > sigma, else e^2 / (2 sigma)"),
        "",
        *table.lines(),
        "",
        *page.prose(
            "The lesson's Huber is PyTorch's SmoothL1Loss(beta=sigma). HuberLoss(delta=sigma) and "
            "optax.huber_loss(delta=sigma) are sigma times it, gradients included, on the same residuals: "
            "those of the shared start. At sigma 1 the two coincide, and the difference cannot be seen."
        ),
    ]


def _relations(lane: LaneWalk) -> tuple[Relation, ...]:
    return lane.huber.relations


def initializers(page: Page) -> list[str]:
    """S11: initializers and gains."""
    table = page.table()
    for index, row in enumerate(page.walk.initialisers):
        law = "" if row.std is None else f"\n  sd {row.std:.4f}"
        cells = [_initializer(lane, row, index) for lane in page.walk.lanes]
        table.add(f"{row.name}{law}", cells)
    return [
        *page.heading("S11", "EXERCISE 2  the initialisers, and what 20,000 drawn weights (200, 100) show"),
        *table.lines(),
        "",
        *_laws(page),
        "",
        *_gains(page),
    ]


def _initializer(lane: Lane, row: InitializerRow, index: int) -> str:
    """What the framework calls it, and the standard deviation that was drawn."""
    if lane.walk is None:
        return NOT_HERE
    name = row.names.get(lane.framework or "", "(in the lane's own file)")
    return f"{name}\n  sd {lane.walk.initialisers[index].std:.4f}"


def _laws(page: Page) -> list[str]:
    lines = ["  Standard deviation (sd) of each law"]
    for law, group in groupby(page.walk.initialisers, key=lambda row: row.law):
        lines += prose(f"{', '.join(row.name for row in group):<33}{law}", page.width, 4, 33)
    return lines


def _gains(page: Page) -> list[str]:
    lines = ["  Recommended gains (leaky_relu at its default slope of 0.01)"]
    for formula in dict.fromkeys(row.formula for row in page.walk.gains):
        rows = [row for row in page.walk.gains if row.formula == formula]
        names = ", ".join(row.nonlinearity for row in rows)
        lines += prose(f"{formula:<24}{rows[0].gain:.6f} {names}", page.width, 4, 33)
    return lines


def gradients(page: Page) -> list[str]:
    """S12: the gradient of every parameter."""
    table = page.table()
    table.add("last batch", page.each(lambda lane: tensors(lane.exercise3.last_batch, "+.2e")))
    table.add("all rows", page.each(lambda lane: tensors(lane.exercise3.all_rows, "+.2e")))
    data_set = "It is not that of the data set, which needs a forward and backward pass over all rows."
    if page.setting.last_batch == page.setting.rows:
        data_set = "Here that batch is the whole data set; at a smaller batch the two differ."
    return [
        *page.heading("S12", "EXERCISE 3  the gradient of every parameter, before the last update"),
        *table.lines(),
        "",
        *page.prose(f"What a framework holds after training is the gradient of the last batch. {data_set}"),
    ]


def deeper(page: Page) -> list[str]:
    """S13: another model, the same loop."""
    chain = ", ".join(page.walk.deeper_layers)
    table = page.table()
    table.add("parameters", page.each(_shapes))
    table.add("before", page.each(lambda lane: loss(lane.deeper.before)))
    for epoch in range(page.setting.epochs):
        table.add(f"epoch {epoch + 1}", page.item(lambda lane: lane.deeper.losses, epoch, loss))
    return [
        *page.heading("S13", f"A DEEPER CHAIN through the same loop: {chain}"),
        *table.lines(),
        "",
        *page.prose(
            "Only the list of layers and the start changed; the data are linear, so depth does not help."
        ),
    ]


def _shapes(lane: LaneWalk) -> str:
    return "\n".join(f"{each.name} {each.shape}".replace(", ", ",") for each in lane.deeper.parameters)
