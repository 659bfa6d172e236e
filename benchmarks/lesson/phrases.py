"""The lesson in each framework's own words: code as it stands in its backend, and remarks.

In `code`, "..." stands for what was left out; a test finds every other piece in the backend's source.
"""

from __future__ import annotations

from typing import NamedTuple

from samestep.backends import losses

from .models import Words


class _Said(NamedTuple):
    """Code in one framework, and a remark of ours."""

    code: tuple[str, ...]
    remark: str = ""


# row, what, then numpy, torch and jax
_TABLE: tuple[tuple[str, str, _Said, _Said, _Said], ...] = (
    (
        "S2",
        "one batch",
        _Said(("rows = order[start : start + batch_size]", "x[rows], y[rows]")),
        _Said(("DataLoader(TensorDataset(*data), batch_size=batch_size, sampler=order.tolist())",)),
        _Said(("rows = order[start : start + batch_size]", "jnp.take(x, rows, axis=0, ...)")),
    ),
    (
        "S2",
        "own shuffler",
        _Said(("np.random.default_rng(seed).permutation(...)",)),
        _Said(("DataLoader(... shuffle=True, generator=generator)",)),
        _Said(("jax.random.permutation(jax.random.key(seed), ...)",)),
    ),
    (
        "S3",
        "chain",
        _Said(("Sequential([...])",), "written by hand, with its backward"),
        _Said(("nn.Sequential(...)",)),
        _Said(("nnx.Sequential(...)",)),
    ),
    (
        "S3",
        "layer",
        _Said(('x @ self.params["weight"] + self.params["bias"]',), "weight (in, out)"),
        _Said(("nn.Linear(layer.in_features, layer.out_features, ...)",), "weight (out, in)"),
        _Said(("nnx.Linear(layer.in_features, layer.out_features, ...)",), "kernel (in, out)"),
    ),
    (
        "S4",
        "by hand",
        _Said(("rng.normal(mean, std, shape)", "np.full(shape, value)")),
        _Said(("nn.init.normal_(tensor, mean, std)", "nn.init.constant_(tensor, value)")),
        _Said(("mean + std * jax.random.normal(key, shape, dtype)", "initializers.constant(value)")),
    ),
    (
        "S4",
        "in place",
        _Said(("np.array(value)",), "a copy of the given values becomes the array that SGD changes in place"),
        _Said(("tensor.copy_(torch.from_numpy(params[name].T))",)),
        _Said(("variable[...] = self.put(params[name])",)),
    ),
    (
        "S5",
        "loss",
        _Said(("e = prediction - target", "e * e, e + e"), "value and slope"),
        _Said((), f"nn.{losses.get('mse').torch_name}"),
        _Said(("optax.squared_error",), "optax.l2_loss is one half of it"),
    ),
    (
        "S6",
        "SGD",
        _Said(("SGD(options, params, buffers)",), "the learning rate is given to every step"),
        _Said(("torch.optim.SGD(params, lr=options.learning_rate, ...)",)),
        _Said(("nnx.Optimizer(model, sgd(task.optimizer), wrt=nnx.Param)",), "sgd is an optax.chain"),
    ),
    (
        "S7",
        "forward",
        _Said(("value, slope = state.loss(state.model.forward(x), y)",)),
        _Said(("loss = state.loss(state.model(x), y)",)),
        _Said(("loss(model(x), y)",)),
    ),
    (
        "S7",
        "clear gradients",
        _Said((), "nothing to clear: every backward makes new arrays"),
        _Said(("state.optimizer.zero_grad()",), "or .grad adds up"),
        _Said((), "nothing to clear: gradients are returned values"),
    ),
    (
        "S7",
        "backward",
        _Said(
            ("state.model.backward(slope)", "self.x.T @ dz", "dz.sum(axis=0)"),
            "by hand: dW and db of each layer",
        ),
        _Said(("loss.backward()",), "into .grad of every parameter"),
        _Said(("value, gradients = nnx.value_and_grad(objective)(model, x, y)",), "forward and backward"),
    ),
    (
        "S7",
        "update",
        _Said(("theta -= learning_rate * self.direction(name, theta, gradients[name])",)),
        _Said(("state.optimizer.step()",)),
        _Said(("optimizer.update(model, gradients, learning_rate=learning_rate)",)),
    ),
)
FRAMEWORKS = ("numpy", "torch", "jax")


def words(framework: str) -> tuple[Words, ...]:
    """Everything a framework says in the lesson; nothing for a framework from outside."""
    if framework not in FRAMEWORKS:
        return ()
    column = FRAMEWORKS.index(framework)
    return tuple(
        Words(row=row, what=what, code=said[column].code, remark=said[column].remark)
        for row, what, *said in _TABLE
    )
