"""What goes wrong between the frameworks: the traps of the losses, and all others.

The tests run every line again and hold it to `gives`; the page shows what came out when it was made.
"""

from __future__ import annotations

from .loss_traps import LOSS_TRAPS
from .trap import Shown, Trap

_ROWS = """\
class Counted(TensorDataset):
    asked = 0
    def __getitem__(self, rows):
        Counted.asked += 1
        return super().__getitem__(rows)
_ = list(DataLoader(Counted(torch.zeros(1000, 2)), batch_size=500))
Counted.asked"""
_SPREAD = "round(float(w.std()) / np.sqrt(2 / (400 + 300)), 2)"
_FAR = "bool((abs(w) > 2.28 * w.std()).any())"

TRAPS = (
    *LOSS_TRAPS,
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
        "The slope of LeakyReLU at 0 is 1 in `jax.nn.leaky_relu`, and the negative slope in `nn.LeakyReLU`.",
        (
            Shown(
                "torch",
                "x = torch.tensor(0.0, requires_grad=True)\ntorch.autograd.grad(nn.LeakyReLU(0.01)(x), x)[0]",
                "0.01",
            ),
            Shown("jax", "jax.grad(jax.nn.leaky_relu)(0.0)", "1"),
            Shown("jax", "jax.grad(lambda x: jnp.where(x > 0, x, 0.01 * x))(0.0)", "0.01"),
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
        "JAX's `xavier_normal`, `he_normal` and `lecun_normal` are truncated, PyTorch's `*_normal_` are not: the "
        "standard deviation is the same, but nothing lies beyond 2.28 of them. `variance_scaling` with "
        '"normal" draws from the whole law.',
        (
            Shown("torch", f"w = nn.init.xavier_normal_(torch.empty(300, 400))\n{_SPREAD}", "1"),
            Shown("torch", _FAR, "True"),
            Shown("jax", f"w = initializers.xavier_normal()(key, (400, 300))\n{_SPREAD}", "1"),
            Shown("jax", _FAR, "False"),
            Shown(
                "jax",
                f'w = initializers.variance_scaling(1, "fan_avg", "normal")(key, (400, 300))\n{_FAR}',
                "True",
            ),
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
)
