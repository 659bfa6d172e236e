"""The traps of the losses; the tests run every line again and hold it to `gives`."""

from __future__ import annotations

from .trap import Shown, Trap

_BCE = "lambda x: -(0 * jnp.maximum(jnp.log(x), -100) + 1 * jnp.maximum(jnp.log(1 - x), -100))"

LOSS_TRAPS = (
    Trap(
        "`optax.l2_loss` is one half of `nn.MSELoss`; `optax.squared_error` is the same as it.",
        (
            Shown("torch", "nn.MSELoss()(torch.tensor(3.0), torch.tensor(1.0))", "4"),
            Shown("jax", "optax.l2_loss(jnp.array(3.0), jnp.array(1.0))", "2"),
            Shown("jax", "optax.squared_error(jnp.array(3.0), jnp.array(1.0))", "4"),
        ),
    ),
    Trap(
        "The lesson's Huber loss with parameter sigma is `nn.SmoothL1Loss(beta=sigma)`. "
        "`nn.HuberLoss(delta=sigma)` and `optax.huber_loss` are sigma times as large, and so is their gradient. "
        "At sigma 1 they coincide; here sigma is 0.5 and the error 2.",
        (
            Shown(
                "torch",
                "e, zero = torch.tensor(2.0, requires_grad=True), torch.tensor(0.0)\n"
                "nn.SmoothL1Loss(beta=0.5)(e, zero)",
                "1.75",
            ),
            Shown("torch", "torch.autograd.grad(nn.SmoothL1Loss(beta=0.5)(e, zero), e)[0]", "1"),
            Shown("torch", "nn.HuberLoss(delta=0.5)(e, zero)", "0.875"),
            Shown("torch", "torch.autograd.grad(nn.HuberLoss(delta=0.5)(e, zero), e)[0]", "0.5"),
            Shown("jax", "optax.huber_loss(jnp.array(2.0), delta=0.5)", "0.875"),
            Shown("jax", "optax.huber_loss(jnp.array(2.0), delta=0.5) / 0.5", "1.75"),
            Shown("jax", "jax.grad(lambda e: optax.huber_loss(e, delta=0.5))(2.0)", "0.5"),
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
        "At the tie of a hinge there are three answers. This project's losses give 0 in NumPy and JAX. In "
        "PyTorch they are `torch.nn` itself, which (torch 2.13) takes MarginRankingLoss, HingeEmbeddingLoss and "
        "CosineEmbeddingLoss for active there, and the two multi-margin losses not.",
        (
            Shown(
                "torch",
                "x, one = torch.zeros(1, requires_grad=True), torch.ones(1)\n"
                "torch.autograd.grad(nn.HingeEmbeddingLoss(margin=0)(x, -one), x)[0]",
                "[-1]",
            ),
            Shown(
                "torch", "torch.autograd.grad(nn.MarginRankingLoss()(x, torch.zeros(1), one), x)[0]", "[-1]"
            ),
            Shown(
                "torch",
                "x, z = torch.tensor([1.0, 0.0], requires_grad=True), torch.tensor([0.0, 1.0])\n"
                "torch.autograd.grad(nn.CosineEmbeddingLoss()(x, z, torch.tensor(-1)), x)[0]",
                "[0, 1]",
            ),
            Shown("torch", "torch.autograd.grad(nn.MultiMarginLoss()(x, torch.tensor(0)), x)[0]", "[0, 0]"),
            Shown(
                "torch",
                "torch.autograd.grad(nn.MultiLabelMarginLoss()(x, torch.tensor([0, -1])), x)[0]",
                "[0, 0]",
            ),
            Shown("jax", "jax.grad(lambda x: jnp.maximum(0.0, 0.0 - x))(0.0)", "-0.5"),
            Shown("jax", "jax.grad(lambda x: jax.nn.relu(0.0 - x))(0.0)", "0"),
            Shown(
                "numpy",
                "value, slopes = numpy_losses.hinge_embedding(np.zeros(1), -np.ones(1), margin=0.0)\n"
                'slopes["prediction"]',
                "[0]",
            ),
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
        "Where every row is ignored the mean is 0 / 0, NaN. PyTorch's gradient is 0 then, and a step with it "
        "does nothing; that of the same formula in JAX is NaN, and destroys the model. Optax knows no ignored "
        "rows: the label -100 gives it NaN.",
        (
            Shown(
                "torch",
                "x, y = torch.zeros(1, 2, requires_grad=True), torch.tensor([-100])\nnn.CrossEntropyLoss()(x, y)",
                "nan",
            ),
            Shown("torch", "torch.autograd.grad(nn.CrossEntropyLoss()(x, y), x)[0]", "[0, 0]"),
            Shown("torch", 'nn.CrossEntropyLoss(reduction="sum")(x, y)', "0"),
            Shown(
                "jax",
                "x, y = jnp.zeros((1, 2)), jnp.array([-100])\n"
                "rows = optax.softmax_cross_entropy_with_integer_labels\n"
                "rows(x, y)",
                "[nan]",
            ),
            Shown(
                "jax",
                "kept = y != -100\n"
                "mean = lambda x: (kept * rows(x, jnp.where(kept, y, 0))).sum() / kept.sum()\n"
                "mean(x)",
                "nan",
            ),
            Shown("jax", "jax.grad(mean)(x)", "[nan, nan]"),
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
        "`optax.hinge_loss` is a classifier's, max(0, 1 - y x); `nn.HingeEmbeddingLoss` takes x for a distance: "
        "x itself where y is 1, max(0, 1 - x) where it is -1. Here x is 0.25, and y 1 and -1.",
        (
            Shown(
                "torch",
                "x, y = torch.full((2,), 0.25), torch.tensor([1.0, -1.0])\n"
                'nn.HingeEmbeddingLoss(reduction="none")(x, y)',
                "[0.25, 0.75]",
            ),
            Shown("jax", "optax.hinge_loss(jnp.full(2, 0.25), jnp.array([1.0, -1.0]))", "[0.75, 1.25]"),
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
