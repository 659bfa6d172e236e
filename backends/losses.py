"""Every loss, declared once: inputs, shapes, options, checks. Standard library and NumPy only.

PyTorch's documented definitions are the definition; NumPy and JAX conform to them. Conventions:

- Inputs are NumPy arrays of equal shape; nothing is ever broadcast. Where the target is a class, its shape is
  the prediction's without the class axis: the first axis of (C,), the second of (N, C) and (N, C, d1, ...).
- Quantities are float32, float64 or bfloat16, one dtype per call, and the result keeps it. Labels (-1 or 1, and
  0 or 1) may be integers or that dtype; classes are integers.
- reduction is none, mean or sum (kl_div also batchmean). With none the gradient is that of the sum.
- At |e| = 0 the derivative is 0. At a hinge tie NumPy and JAX give 0: active is z > 0, strictly. PyTorch is
  torch.nn itself: 0 in the two multi-margin losses, in the three others 1 up to torch 2.13.
- An empty batch is an error.
"""

from __future__ import annotations

from .loss_spec import (
    EPSILON,
    REDUCTIONS,
    LossSpec,
    Option,
    Reduction,
    class_axis,
    number_option,
    weight_option,
)

__all__ = ["EPSILON", "REDUCTIONS", "LossSpec", "Option", "Reduction", "class_axis", "get", "names"]


def margin(default: float) -> Option:
    """The margin of a hinge."""
    return number_option(default, "distance wanted between the right and the wrong score")


BETA = number_option(1.0, "where the parabola meets the line; 0 is L1", " >= 0", lambda value: value >= 0)
DELTA = number_option(1.0, "where the parabola meets the line", " > 0", lambda value: value > 0)
LABEL_SMOOTHING = number_option(
    0.0, "part of the target spread evenly over the classes", " in [0, 1]", lambda value: 0 <= value <= 1
)
WEIGHT = weight_option("one weight per class")
ELEMENT_WEIGHT = weight_option("one weight per column or per element")
POS_WEIGHT = weight_option("weight of the positive answer, per column or per element")
IGNORE_INDEX = Option(
    -100,
    "class whose rows count for nothing",
    "a Python integer of 32 bits",
    lambda value: type(value) is int and value.bit_length() < 32,
)
LOG_TARGET = Option(
    False, "the target holds log-probabilities", "True or False", lambda value: type(value) is bool
)
POWER = Option(1, "power of the hinge", "1 or 2", lambda value: type(value) is int and value in (1, 2))
BOTH = ("prediction", "target")
CLASSES = {"weight": WEIGHT, "ignore_index": IGNORE_INDEX}
NLL = "-w_y x_y; mean divides by the sum of w_y over the rows that are not ignored"

# e = prediction - target, x = prediction, t or y = target, p = softmax(x), s = label_smoothing, C classes
_LOSSES = (
    LossSpec("l1", "L1Loss", "formula", "|e|", "real", differentiable=BOTH),
    LossSpec("mse", "MSELoss", "optax.squared_error", "e^2", "real", differentiable=BOTH),
    LossSpec(
        "smooth_l1",
        "SmoothL1Loss",
        "optax.huber_loss(delta=beta) / beta",
        "e^2 / (2 beta) where |e| < beta, else |e| - beta/2",
        "real",
        differentiable=BOTH,
        options={"beta": BETA},
    ),
    LossSpec(
        "huber",
        "HuberLoss",
        "optax.huber_loss",
        "e^2 / 2 where |e| <= delta, else delta (|e| - delta/2)",
        "real",
        differentiable=BOTH,
        options={"delta": DELTA},
    ),
    LossSpec(
        "cross_entropy",
        "CrossEntropyLoss",
        "optax.softmax_cross_entropy(_with_integer_labels)",
        "classes: -(1-s) w_y log p_y - (s/C) sum_c w_c log p_c, mean over the sum of w_y; "
        "probabilities: -sum_c w_c ((1-s) t_c + s/C) log p_c",
        "class or probabilities",
        differentiable=BOTH,
        dims=(1, None),
        options={**CLASSES, "label_smoothing": LABEL_SMOOTHING},
    ),
    LossSpec("nll", "NLLLoss", "formula", NLL, "class", dims=(1, None), options=CLASSES),
    LossSpec("nll2d", "NLLLoss2d", "formula", NLL, "class", dims=(4, 4), options=CLASSES),
    LossSpec(
        "kl_div",
        "KLDivLoss",
        "optax.losses.kl_divergence(_with_log_targets)",
        "t (log t - x), 0 log 0 = 0; with log_target exp(t) (t - x)",
        "distribution",
        differentiable=BOTH,
        reductions=(*REDUCTIONS, "batchmean"),
        options={"log_target": LOG_TARGET},
    ),
    LossSpec(
        "bce",
        "BCELoss",
        "formula",
        "-w (t max(log x, -100) + (1-t) max(log(1-x), -100))",
        "probability",
        differentiable=BOTH,
        options={"weight": ELEMENT_WEIGHT},
    ),
    LossSpec(
        "bce_with_logits",
        "BCEWithLogitsLoss",
        "optax.sigmoid_binary_cross_entropy",
        "-w (pos_weight t log sigmoid(x) + (1-t) log sigmoid(-x))",
        "probability",
        differentiable=BOTH,
        options={"weight": ELEMENT_WEIGHT, "pos_weight": POS_WEIGHT},
    ),
    LossSpec(
        "margin_ranking",
        "MarginRankingLoss",
        "formula",
        "max(0, -y (x1 - x2) + margin)",
        "sign",
        inputs=("x1", "x2", "y"),
        differentiable=("x1", "x2"),
        options={"margin": margin(0.0)},
    ),
    LossSpec(
        "hinge_embedding",
        "HingeEmbeddingLoss",
        "formula",
        "x where y = 1, max(0, margin - x) where y = -1",
        "sign",
        options={"margin": margin(1.0)},
    ),
    LossSpec(
        "multilabel_margin",
        "MultiLabelMarginLoss",
        "formula",
        "sum over j in T and i not in T of max(0, 1 - x_j + x_i) / C; T ends at the first -1",
        "class set",
        dims=(1, 2),
    ),
    LossSpec("soft_margin", "SoftMarginLoss", "jax.nn.softplus(-y * x)", "log(1 + exp(-y x))", "sign"),
    LossSpec(
        "multilabel_soft_margin",
        "MultiLabelSoftMarginLoss",
        "optax.sigmoid_binary_cross_entropy(...).mean(-1)",
        "mean over C of -w_c (y_c log sigmoid(x_c) + (1-y_c) log sigmoid(-x_c))",
        "binary",
        dims=(1, None),
        options={"weight": WEIGHT},
    ),
    LossSpec(
        "cosine_embedding",
        "CosineEmbeddingLoss",
        "formula",
        "1 - c where y = 1, max(0, c - margin) where y = -1; c = x1.x2 / sqrt((|x1|^2 + eps)(|x2|^2 + eps))",
        "sign",
        inputs=("x1", "x2", "y"),
        differentiable=("x1", "x2"),
        dims=(1, 2),
        options={"margin": margin(0.0)},
    ),
    LossSpec(
        "multi_margin",
        "MultiMarginLoss",
        "formula",
        "sum over j != y of w_y max(0, margin - x_y + x_j)^p / C",
        "class",
        dims=(1, 2),
        options={"p": POWER, "margin": margin(1.0), "weight": WEIGHT},
    ),
)
_BY_NAME = {spec.name: spec for spec in _LOSSES}


def names() -> tuple[str, ...]:
    """Every loss, in the order of the table."""
    return tuple(_BY_NAME)


def get(name: str) -> LossSpec:
    """The declaration of a loss.

    Raises:
        ValueError: no such loss.
    """
    if name not in _BY_NAME:
        raise ValueError(f"no loss {name!r}; the losses are {', '.join(_BY_NAME)}")
    return _BY_NAME[name]
