"""The lesson in each framework's own words: code as it stands in its backend, and remarks.

In `code`, "..." stands for what was left out; a test finds every other piece in the backend's source.
"""

from __future__ import annotations

from samestep.backends import losses

from .models import Quotation

FRAMEWORKS = ("numpy", "torch", "jax")


class Code:
    """Lines of code in one framework, and a remark of ours."""

    def __init__(self, *lines: str, remark: str = "") -> None:
        self.lines, self.remark = lines, remark


# (row, what): NumPy, PyTorch, JAX
_TABLE: dict[tuple[str, str], tuple[Code, Code, Code]] = {
    ("S2", "one batch"): (
        Code("rows = row_order[start : start + batch_size]", "x[rows], y[rows]"),
        Code("DataLoader(TensorDataset(*data), batch_size=batch_size, sampler=row_order.tolist())"),
        Code("rows = row_order[start : start + batch_size]", "jnp.take(x, rows, axis=0, ...)"),
    ),
    ("S2", "own shuffler"): (
        Code("np.random.default_rng(seed).permutation(...)"),
        Code("DataLoader(... shuffle=True, generator=generator)"),
        Code("jax.random.permutation(jax.random.key(seed), ...)"),
    ),
    ("S3", "chain"): (
        Code("Sequential([...])", remark="written by hand, with its backward"),
        Code("nn.Sequential(...)"),
        Code("nnx.Sequential(...)"),
    ),
    ("S3", "layer"): (
        Code('x @ self.params["weight"] + self.params["bias"]', remark="weight (in, out)"),
        Code("nn.Linear(layer.in_features, layer.out_features, ...)", remark="weight (out, in)"),
        Code(
            "sizes, ... = (layer.in_features, layer.out_features)",
            "nnx.Linear(*sizes, ...)",
            remark="kernel (in, out)",
        ),
    ),
    ("S4", "by hand"): (
        Code("rng.normal(mean, std, shape)", "np.full(shape, value)"),
        Code("nn.init.normal_(tensor, mean, std)", "nn.init.constant_(tensor, value)"),
        Code("mean + std * jax.random.normal(key, shape, dtype)", "initializers.constant(value)"),
    ),
    ("S4", "in place"): (
        Code(
            "np.array(value)", remark="a copy of the given values becomes the array that SGD changes in place"
        ),
        Code("tensor.copy_(torch.from_numpy(params[name].T))"),
        Code("variable[...] = self.put(params[name])"),
    ),
    ("S5", "loss"): (
        Code("e = prediction - target", "e * e, e + e", remark="value and derivative"),
        Code(remark=f"nn.{losses.get('mse').torch_name}"),
        Code("optax.squared_error", remark="optax.l2_loss is one half of it"),
    ),
    ("S6", "SGD"): (
        Code("SGDOptimizer(options, params, buffers)", remark="the learning rate is given to every step"),
        Code("torch.optim.SGD(params, lr=options.learning_rate, ...)"),
        Code("nnx.Optimizer(model, sgd(task.optimizer), wrt=nnx.Param)", remark="sgd is an optax.chain"),
    ),
    ("S7", "forward"): (
        Code("value, gradient = state.loss(state.model.forward(x), y)"),
        Code("loss = state.loss(state.model(x), y)"),
        Code("loss(model(x), y)"),
    ),
    ("S7", "clear gradients"): (
        Code(remark="nothing to clear: every backward makes new arrays"),
        Code("state.optimizer.zero_grad()", remark="or .grad adds up"),
        Code(remark="nothing to clear: gradients are returned values"),
    ),
    ("S7", "backward"): (
        Code(
            "state.model.backward(gradient)",
            "self.x.T @ dz",
            "dz.sum(axis=0)",
            remark="by hand: dW and db of each layer",
        ),
        Code("loss.backward()", remark="into .grad of every parameter"),
        Code("value, gradients = nnx.value_and_grad(objective)(model, x, y)", remark="forward and backward"),
    ),
    ("S7", "update"): (
        Code("theta -= learning_rate * self.direction(name, theta, gradients[name])"),
        Code("state.optimizer.step()"),
        Code("optimizer.update(model, gradients, learning_rate=learning_rate)"),
    ),
}


def quotations(framework: str) -> tuple[Quotation, ...]:
    """Everything quoted from a framework; nothing for a framework from outside."""
    if framework not in FRAMEWORKS:
        return ()
    column = FRAMEWORKS.index(framework)
    return tuple(
        Quotation(row=row, what=what, code=code[column].lines, remark=code[column].remark)
        for (row, what), code in _TABLE.items()
    )
