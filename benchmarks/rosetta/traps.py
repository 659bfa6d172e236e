"""What goes wrong between the frameworks: each trap is code that was run, with what it gave.

The tests run every line again and hold it to `gives`; the page shows what came out when it was made.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Shown:
    """Code in one framework, and the text of its value."""

    framework: str
    code: str
    gives: str


@dataclass(frozen=True)
class Trap:
    """One trap in a sentence or two, and the lines that show it."""

    says: str
    shown: tuple[Shown, ...]


_ROWS = """\
class Counted(TensorDataset):
    asked = 0
    def __getitem__(self, rows):
        Counted.asked += 1
        return super().__getitem__(rows)
_ = list(DataLoader(Counted(torch.zeros(1000, 2)), batch_size=500))
Counted.asked"""
_BCE = "lambda x: -(0 * jnp.maximum(jnp.log(x), -100) + 1 * jnp.maximum(jnp.log(1 - x), -100))"

TRAPS = (
    Trap(
        "`optax.l2_loss` is one half of `nn.MSELoss`; `optax.squared_error` is the same as it.",
        (
            Shown("torch", "nn.MSELoss()(torch.tensor(3.0), torch.tensor(1.0))", "4"),
            Shown("jax", "optax.l2_loss(jnp.array(3.0), jnp.array(1.0))", "2"),
            Shown("jax", "optax.squared_error(jnp.array(3.0), jnp.array(1.0))", "4"),
        ),
    ),
    Trap(
        "The derivative of |e| at 0 is 0 in PyTorch and 1 in JAX.",
        (
            Shown(
                "torch", "e = torch.tensor(0.0, requires_grad=True)\ntorch.autograd.grad(e.abs(), e)[0]", "0"
            ),
            Shown("jax", "jax.grad(jnp.abs)(0.0)", "1"),
            Shown("numpy", "np.sign(0.0)", "0"),
        ),
    ),
    Trap(
        "At the tie of a hinge there are three answers. This project's is 0 everywhere.",
        (
            Shown(
                "torch",
                "x = torch.zeros(1, requires_grad=True)\n"
                "torch.autograd.grad(nn.HingeEmbeddingLoss(margin=0)(x, -torch.ones(1)), x)[0]",
                "[-1]",
            ),
            Shown("jax", "jax.grad(lambda x: jnp.maximum(0.0, 0.0 - x))(0.0)", "-0.5"),
            Shown("jax", "jax.grad(lambda x: jax.nn.relu(0.0 - x))(0.0)", "0"),
        ),
    ),
    Trap(
        "A column against a row makes a matrix, and its mean a loss that looks right.",
        (
            Shown("numpy", "(np.zeros(3) - np.zeros((3, 1))).shape", "(3, 3)"),
            Shown("torch", "(torch.zeros(3) - torch.zeros(3, 1)).shape", "(3, 3)"),
            Shown("jax", "(jnp.zeros(3) - jnp.zeros((3, 1))).shape", "(3, 3)"),
        ),
    ),
    Trap(
        "With class weights, PyTorch's mean divides by the sum of the weights and not by the number of rows.",
        (
            Shown(
                "torch",
                "weight = torch.tensor([1.0, 3.0])\n"
                "nn.CrossEntropyLoss(weight)(torch.zeros(2, 2), torch.tensor([0, 1]))",
                "0.6931",
            ),
            Shown(
                "jax",
                "y, weight = jnp.array([0, 1]), jnp.array([1.0, 3.0])\n"
                "(weight[y] * optax.softmax_cross_entropy_with_integer_labels(jnp.zeros((2, 2)), y)).mean()",
                "1.386",
            ),
        ),
    ),
    Trap(
        "`nn.KLDivLoss()` divides by every element; the divergence per row is `batchmean`, as in Optax.",
        (
            Shown("torch", "nn.KLDivLoss()(torch.zeros(2, 4), torch.ones(2, 4) / 4)", "-0.3466"),
            Shown(
                "torch",
                'nn.KLDivLoss(reduction="batchmean")(torch.zeros(2, 4), torch.ones(2, 4) / 4)',
                "-1.386",
            ),
            Shown(
                "jax", "optax.losses.kl_divergence(jnp.zeros((2, 4)), jnp.ones((2, 4)) / 4).mean()", "-1.386"
            ),
        ),
    ),
    Trap(
        "Automatic differentiation through the floor of a logarithm gives NaN. The derivative of `nn.BCELoss` is "
        "written by hand.",
        (
            Shown(
                "torch",
                "x = torch.zeros(1, requires_grad=True)\n"
                "torch.autograd.grad(nn.BCELoss()(x, torch.zeros(1)), x)[0]",
                "[0]",
            ),
            Shown("jax", f"jax.grad({_BCE})(0.0)", "nan"),
        ),
    ),
    Trap(
        "`nn.SoftMarginLoss` overflows where softplus does not.",
        (
            Shown("torch", "nn.SoftMarginLoss()(torch.tensor([-100.0]), torch.tensor([1.0]))", "inf"),
            Shown("jax", "jax.nn.softplus(jnp.array(100.0))", "100"),
            Shown("numpy", "np.logaddexp(np.float32(0), np.float32(100))", "100"),
        ),
    ),
    Trap(
        "The cosine of a zero vector: PyTorch adds 1e-12 to the squared norms, Optax does not.",
        (
            Shown(
                "torch",
                "a = torch.zeros(1, 2, requires_grad=True)\n"
                "loss = nn.CosineEmbeddingLoss()(a, torch.ones(1, 2), torch.ones(1))\n"
                "bool(torch.autograd.grad(loss, a)[0].isfinite().all())",
                "True",
            ),
            Shown(
                "jax",
                "jax.grad(lambda a: optax.losses.cosine_similarity(a, jnp.ones(2)))(jnp.zeros(2))",
                "[nan, nan]",
            ),
        ),
    ),
    Trap(
        "`optax.losses.multiclass_hinge_loss` takes the worst class; `nn.MultiMarginLoss` adds all up and "
        "divides by their number.",
        (
            Shown(
                "torch", "nn.MultiMarginLoss()(torch.tensor([[0.5, 0.0, 0.0]]), torch.tensor([0]))", "0.3333"
            ),
            Shown(
                "jax", "optax.losses.multiclass_hinge_loss(jnp.array([0.5, 0.0, 0.0]), jnp.array(0))", "0.5"
            ),
        ),
    ),
    Trap(
        "JAX narrows float64 to float32 without a word, unless x64 is on.",
        (
            Shown("jax", "jnp.asarray(np.zeros(2)).dtype", "float32"),
            Shown(
                "jax",
                "with jax.enable_x64(True):\n    wide = jnp.asarray(np.zeros(2))\nwide.dtype",
                "float64",
            ),
            Shown("torch", "torch.from_numpy(np.zeros(2)).dtype", "torch.float64"),
        ),
    ),
    Trap(
        "A NumPy scalar widens a float32 array, a Python number does not: keep learning rates Python floats.",
        (
            Shown("numpy", "(np.zeros(2, np.float32) * np.float64(0.1)).dtype", "float64"),
            Shown("numpy", "(np.zeros(2, np.float32) * 0.1).dtype", "float32"),
        ),
    ),
    Trap(
        "PyTorch keeps weights as (out, in), Flax as (in, out): a square one loads transposed without an error.",
        (
            Shown("torch", "nn.Linear(3, 2).weight.shape", "(2, 3)"),
            Shown("jax", "nnx.Linear(3, 2, rngs=nnx.Rngs(0)).kernel.shape", "(3, 2)"),
        ),
    ),
    Trap(
        "The default layers start differently: PyTorch draws the bias too, and its weights have a third of the "
        "variance.",
        (
            Shown("torch", "layer = nn.Linear(300, 400)\nbool((layer.bias == 0).any())", "False"),
            Shown("torch", "round(300 * float(layer.weight.var()), 1)", "0.3"),
            Shown(
                "jax",
                "layer = nnx.Linear(300, 400, rngs=nnx.Rngs(0))\nbool((layer.bias[...] == 0).all())",
                "True",
            ),
            Shown("jax", "round(300 * float(layer.kernel[...].var()), 1)", "1"),
        ),
    ),
    Trap(
        "Equal seeds are not equal draws: hand the same array to every framework.",
        (
            Shown("numpy", "np.random.default_rng(0).permutation(6)", "[3, 2, 5, 4, 0, 1]"),
            Shown(
                "torch", "torch.randperm(6, generator=torch.Generator().manual_seed(0))", "[2, 5, 3, 0, 1, 4]"
            ),
            Shown("jax", "jax.random.permutation(jax.random.key(0), 6)", "[0, 1, 5, 4, 3, 2]"),
        ),
    ),
    Trap(
        'The gain of "leaky_relu" assumes a slope of 0.01, while `kaiming_uniform_` assumes 0.',
        (
            Shown("torch", 'round(nn.init.calculate_gain("leaky_relu"), 6)', "1.414143"),
            Shown("torch", 'round(nn.init.calculate_gain("leaky_relu", 0), 6)', "1.414214"),
        ),
    ),
    Trap(
        "Weight decay placed after `optax.sgd` has the wrong sign and no learning rate. Here theta is 1 and its "
        "gradient 0; the right step is -0.001.",
        (
            Shown(
                "jax",
                "right = optax.chain(optax.add_decayed_weights(0.01), optax.sgd(0.1))\n"
                "right.update(jnp.array(0.0), right.init(jnp.array(1.0)), jnp.array(1.0))[0]",
                "-0.001",
            ),
            Shown(
                "jax",
                "wrong = optax.chain(optax.sgd(0.1), optax.add_decayed_weights(0.01))\n"
                "wrong.update(jnp.array(0.0), wrong.init(jnp.array(1.0)), jnp.array(1.0))[0]",
                "0.01",
            ),
        ),
    ),
    Trap(
        "PyTorch adds gradients up until they are cleared; in JAX they are returned values.",
        (
            Shown(
                "torch",
                "x = torch.tensor(1.0, requires_grad=True)\n(2 * x).backward()\n(2 * x).backward()\nx.grad",
                "4",
            ),
            Shown("jax", "jax.grad(lambda x: 2 * x)(1.0)", "2"),
        ),
    ),
    Trap(
        "The mean of batch means is not the mean when the last batch is partial.",
        (
            Shown("numpy", "e = np.arange(5.0)\n(e[:3].mean() + e[3:].mean()) / 2", "2.25"),
            Shown("numpy", "e.mean()", "2"),
        ),
    ),
    Trap(
        "`DataLoader` over a `TensorDataset` asks for every row singly, whatever the batch size. A gather by "
        "index takes the batch at once.",
        (Shown("torch", _ROWS, "1000"),),
    ),
    Trap(
        "XLA on a CPU flushes subnormal numbers to zero.",
        (
            Shown("jax", "jnp.float32(1e-40) + jnp.float32(0)", "0"),
            Shown("torch", "bool(torch.tensor(1e-40) + torch.tensor(0.0) > 0)", "True"),
            Shown("numpy", "bool(np.float32(1e-40) + np.float32(0) > 0)", "True"),
        ),
    ),
    Trap(
        "The loss of an empty batch is NaN, and a gradient step with it destroys the model. Here it is an error.",
        (
            Shown("torch", "nn.MSELoss()(torch.zeros(0), torch.zeros(0))", "nan"),
            Shown("jax", "optax.squared_error(jnp.zeros(0), jnp.zeros(0)).mean()", "nan"),
        ),
    ),
)
