"""Data iteration, layers, initializers and the optimizer's options: one line in each framework.

Every line is an expression, or statements whose last is one, over the names that `run` gives it; the tests hold
the three values against each other in the way that `alike` says.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypeAlias

Alike: TypeAlias = Literal["values", "permutation", "law", "shapes", "rates", "steps"]
FRAMEWORKS = ("numpy", "torch", "jax")


@dataclass(frozen=True)
class Phrase:
    """One concept in three frameworks. How the three values are the same:

    values: within rounding. permutation: each holds all rows, in an order of its own. law: random weights of one
    mean and standard deviation, (out, in) in PyTorch. shapes: only those, for a default that differs. rates: a
    schedule's learning rates. steps: an optimizer, by the parameters after three of its steps.
    """

    what: str
    numpy: str
    torch: str
    jax: str
    note: str = ""
    alike: Alike = "values"

    def code(self, framework: str) -> str:
        return {"numpy": self.numpy, "torch": self.torch, "jax": self.jax}[framework]


DATA = (
    Phrase(
        "batches in a given order, the last one partial",
        "[x[order[start : start + 4]] for start in range(0, len(order), 4)]",
        "[rows for rows, _ in DataLoader(TensorDataset(x, y), batch_size=4, sampler=order.tolist())]",
        "[x[order[start : start + 4]] for start in range(0, len(order), 4)]",
    ),
    Phrase(
        "batches by one gather each",
        "[np.take(x, order[start : start + 4], axis=0) for start in range(0, len(order), 4)]",
        "[x.index_select(0, rows) for rows in order.split(4)]",
        "[jnp.take(x, order[start : start + 4], axis=0) for start in range(0, len(order), 4)]",
        "DataLoader asks its dataset for every row singly; see the traps",
    ),
    Phrase(
        "the framework's own shuffling",
        "rng.permutation(len(x))",
        "torch.cat(list(DataLoader(torch.arange(len(x)), batch_size=4, shuffle=True)))",
        "jax.random.permutation(key, len(x))",
        "equal seeds give unequal orders; see the traps",
        alike="permutation",
    ),
    Phrase(
        "no shuffling, for evaluation",
        "[x[start : start + 4] for start in range(0, len(x), 4)]",
        "[rows for rows, _ in DataLoader(TensorDataset(x, y), batch_size=4)]",
        "[x[start : start + 4] for start in range(0, len(x), 4)]",
    ),
)

LAYERS = (
    Phrase(
        "Linear",
        "x @ w + b",
        "nn.functional.linear(x, w.T, b)",
        "x @ w + b",
        "w is (in, out) here; PyTorch keeps (out, in)",
    ),
    Phrase(
        "Linear, with parameters of its own",
        "rng.uniform(-1, 1, (3, 2)) / np.sqrt(3)",
        "nn.Linear(3, 2).weight.T",
        "nnx.Linear(3, 2, rngs=nnx.Rngs(0)).kernel[...]",
        "the defaults follow different laws; see the traps",
        alike="shapes",
    ),
    Phrase(
        "Sequential",
        "np.maximum(x @ w + b, 0) @ w.T",
        "nn.Sequential(nn.Linear(3, 2), nn.ReLU(), nn.Linear(2, 3))(x)",
        "nnx.Sequential(nnx.Linear(3, 2, rngs=nnx.Rngs(0)), nnx.relu, nnx.Linear(2, 3, rngs=nnx.Rngs(1)))(x)",
        "here the parameters differ, so only the shapes are alike",
        alike="shapes",
    ),
    Phrase("ReLU", "np.maximum(x, 0)", "nn.ReLU()(x)", "nnx.relu(x)"),
    Phrase(
        "LeakyReLU",
        "np.where(x > 0, x, 0.01 * x)",
        "nn.LeakyReLU(0.01)(x)",
        "nnx.leaky_relu(x, 0.01)",
        "value alike, slope at 0 not; see the traps",
    ),
    Phrase(
        "Sigmoid",
        "z = np.exp(-np.abs(x))\nnp.where(x >= 0, 1, z) / (1 + z)",
        "nn.Sigmoid()(x)",
        "nnx.sigmoid(x)",
        "1 / (1 + exp(-x)) overflows below -89 in float32",
    ),
    Phrase("Tanh", "np.tanh(x)", "nn.Tanh()(x)", "nnx.tanh(x)"),
)

INITIALISERS = (
    Phrase(
        "constant",
        "np.full((400, 300), 0.5)",
        "nn.init.constant_(torch.empty(300, 400), 0.5)",
        "initializers.constant(0.5)(key, (400, 300))",
        alike="law",
    ),
    Phrase(
        "normal",
        "rng.normal(0, 0.01, (400, 300))",
        "nn.init.normal_(torch.empty(300, 400), 0, 0.01)",
        "initializers.normal(0.01)(key, (400, 300))",
        alike="law",
    ),
    Phrase(
        "uniform",
        "rng.uniform(-0.1, 0.3, (400, 300))",
        "nn.init.uniform_(torch.empty(300, 400), -0.1, 0.3)",
        "jax.random.uniform(key, (400, 300), minval=-0.1, maxval=0.3)",
        "initializers.uniform(scale) draws from [0, scale)",
        alike="law",
    ),
    Phrase(
        "truncated normal, at two standard deviations",
        "truncnorm.rvs(-2, 2, scale=0.01, size=(400, 300), random_state=rng)",
        "nn.init.trunc_normal_(torch.empty(300, 400), 0, 0.01, -0.02, 0.02)",
        "0.01 * jax.random.truncated_normal(key, -2, 2, (400, 300))",
        "PyTorch's ends are values, JAX's and SciPy's are standard deviations",
        alike="law",
    ),
    Phrase(
        "Xavier uniform",
        "rng.uniform(-1, 1, (400, 300)) * np.sqrt(6 / (400 + 300))",
        "nn.init.xavier_uniform_(torch.empty(300, 400))",
        "initializers.xavier_uniform()(key, (400, 300))",
        alike="law",
    ),
    Phrase(
        "Xavier normal, gain 5/3",
        "rng.normal(0, 5 / 3 * np.sqrt(2 / (400 + 300)), (400, 300))",
        'nn.init.xavier_normal_(torch.empty(300, 400), gain=nn.init.calculate_gain("tanh"))',
        'initializers.variance_scaling((5 / 3) ** 2, "fan_avg", "normal")(key, (400, 300))',
        "xavier_normal of JAX is truncated, variance_scaling with normal is not; see the traps",
        alike="law",
    ),
    Phrase(
        "Kaiming uniform, fan in",
        "rng.uniform(-1, 1, (400, 300)) * np.sqrt(6 / 400)",
        'nn.init.kaiming_uniform_(torch.empty(300, 400), nonlinearity="relu")',
        "initializers.he_uniform()(key, (400, 300))",
        alike="law",
    ),
    Phrase(
        "Kaiming normal, fan out",
        "rng.normal(0, np.sqrt(2 / 300), (400, 300))",
        'nn.init.kaiming_normal_(torch.empty(300, 400), mode="fan_out", nonlinearity="relu")',
        'initializers.variance_scaling(2, "fan_out", "normal")(key, (400, 300))',
        alike="law",
    ),
    Phrase(
        "the gain for what follows, here tanh",
        'gains.gain("tanh")',
        'nn.init.calculate_gain("tanh")',
        'gains.gain("tanh")',
        "`backends.gains` is ours; neither NumPy nor JAX has a table of gains",
    ),
    Phrase(
        "given values, in place",
        "p = np.zeros((3, 2))\np[...] = w\np",
        "p = nn.Linear(3, 2)\n_ = p.weight.data.copy_(w.T)\np.weight.T",
        "p = nnx.Linear(3, 2, rngs=nnx.Rngs(0))\np.kernel[...] = w\np.kernel[...]",
    ),
)

SGD = (
    Phrase(
        "plain",
        "theta = theta - 0.1 * g",
        "torch.optim.SGD(params, lr=0.1)",
        "optax.sgd(0.1)",
        alike="steps",
    ),
    Phrase(
        "momentum",
        "b = 0.9 * b + g\ntheta = theta - 0.1 * b",
        "torch.optim.SGD(params, lr=0.1, momentum=0.9)",
        "optax.sgd(0.1, momentum=0.9)",
        alike="steps",
    ),
    Phrase(
        "Nesterov",
        "b = 0.9 * b + g\ntheta = theta - 0.1 * (g + 0.9 * b)",
        "torch.optim.SGD(params, lr=0.1, momentum=0.9, nesterov=True)",
        "optax.sgd(0.1, momentum=0.9, nesterov=True)",
        alike="steps",
    ),
    Phrase(
        "dampening",
        "b = g if t == 0 else 0.9 * b + (1 - 0.5) * g\ntheta = theta - 0.1 * b",
        "torch.optim.SGD(params, lr=0.1, momentum=0.9, dampening=0.5)",
        "optax.chain(jax_backend.dampened_trace(0.9, 0.5), optax.scale(-0.1))",
        "Optax has none: `dampened_trace` is ours. The first step is undampened",
        alike="steps",
    ),
    Phrase(
        "weight decay",
        "theta = theta - 0.1 * (g + 0.01 * theta)",
        "torch.optim.SGD(params, lr=0.1, weight_decay=0.01)",
        "optax.chain(optax.add_decayed_weights(0.01), optax.sgd(0.1))",
        alike="steps",
    ),
    Phrase(
        "maximize",
        "theta = theta + 0.1 * g",
        "torch.optim.SGD(params, lr=0.1, maximize=True)",
        "optax.chain(optax.scale(-1.0), optax.sgd(0.1))",
        alike="steps",
    ),
)

SCHEDULES = (
    Phrase(
        "step: halved every two steps",
        "0.1 * 0.5 ** (t // 2)",
        "torch.optim.lr_scheduler.StepLR(optimizer, step_size=2, gamma=0.5)",
        "optax.exponential_decay(0.1, transition_steps=2, decay_rate=0.5, staircase=True)",
        alike="rates",
    ),
    Phrase(
        "cosine, from 0.1 to 0.01 over six steps",
        "0.01 + (0.1 - 0.01) * (1 + np.cos(np.pi * t / 6)) / 2",
        "torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, T_max=6, eta_min=0.01)",
        "optax.cosine_decay_schedule(0.1, decay_steps=6, alpha=0.01 / 0.1)",
        "alpha is a share of the first rate",
        alike="rates",
    ),
)
