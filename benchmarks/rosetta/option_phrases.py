"""The options and reductions of the losses, written in each framework: (loss, phrase), as the page has them."""

from __future__ import annotations

from .phrases import Phrase

_LOG_P = "log_p = prediction - np.logaddexp.reduce(prediction, axis=1, keepdims=True)\n"
_TRUE = "np.take_along_axis(log_p, target[:, None], axis=1)[:, 0]"
_BY_CLASS = "optax.softmax_cross_entropy_with_integer_labels"
_Z = "z = {margin} - {np}.take_along_axis(prediction, target[:, None], axis=1) + prediction\n"
_HINGES = {
    "np": "np.put_along_axis(z, target[:, None], 0, axis=1)\n",
    "jnp": "z = jnp.where(jax.nn.one_hot(target, z.shape[1]) == 1, 0, z)\n",
}


def _hinges(np: str, margin: float) -> str:
    """Lines that leave margin - x_y + x_j in z, 0 at the true class."""
    return _Z.format(np=np, margin=margin) + _HINGES[np]


OPTIONS = (
    (
        "cross_entropy",
        Phrase(
            "CrossEntropyLoss, class weights",
            f"{_LOG_P}w = weight[target]\n-(w * {_TRUE}).sum() / w.sum()",
            "nn.CrossEntropyLoss(weight=weight)(prediction, target)",
            f"w = weight[target]\n(w * {_BY_CLASS}(prediction, target)).sum() / w.sum()",
            "the mean divides by the sum of the rows' weights; see the traps",
        ),
    ),
    (
        "cross_entropy",
        Phrase(
            "CrossEntropyLoss, class weights, reduction none",
            f"{_LOG_P}-weight[target] * {_TRUE}",
            'nn.CrossEntropyLoss(weight=weight, reduction="none")(prediction, target)',
            f"weight[target] * {_BY_CLASS}(prediction, target)",
            "so its mean is not the reduction mean",
        ),
    ),
    (
        "cross_entropy",
        Phrase(
            "CrossEntropyLoss, ignore_index 1",
            f"{_LOG_P}kept = target != 1\n"
            "-np.take_along_axis(log_p[kept], target[kept, None], axis=1).mean()",
            "nn.CrossEntropyLoss(ignore_index=1)(prediction, target)",
            f"kept = target != 1\n{_BY_CLASS}(prediction, jnp.where(kept, target, 0)).mean(where=kept)",
            "-100, the default, is no index: put another class in its place before the rows are picked",
        ),
    ),
    (
        "cross_entropy",
        Phrase(
            "CrossEntropyLoss, label_smoothing 0.1",
            f"{_LOG_P}true = {_TRUE}\n-((1 - 0.1) * true + 0.1 * log_p.mean(axis=1)).mean()",
            "nn.CrossEntropyLoss(label_smoothing=0.1)(prediction, target)",
            "t = optax.smooth_labels(jax.nn.one_hot(target, 3), 0.1)\n"
            "optax.softmax_cross_entropy(prediction, t).mean()",
        ),
    ),
    (
        "cross_entropy",
        Phrase(
            "CrossEntropyLoss, class weights and label_smoothing 0.1",
            f"{_LOG_P}w, true = weight[target], {_TRUE}\n"
            "-((1 - 0.1) * w * true + 0.1 * (weight * log_p).mean(axis=1)).sum() / w.sum()",
            "nn.CrossEntropyLoss(weight=weight, label_smoothing=0.1)(prediction, target)",
            "t = optax.smooth_labels(jax.nn.one_hot(target, 3), 0.1)\n"
            "optax.softmax_cross_entropy(prediction, weight * t).sum() / weight[target].sum()",
            "every class has its weight, the divisor those of the true ones",
        ),
    ),
    (
        "cross_entropy",
        Phrase(
            "CrossEntropyLoss, probabilities",
            f"{_LOG_P}-(shares * log_p).sum(axis=1).mean()",
            "nn.CrossEntropyLoss()(prediction, shares)",
            "optax.softmax_cross_entropy(prediction, shares).mean()",
        ),
    ),
    (
        "cross_entropy",
        Phrase(
            "CrossEntropyLoss, probabilities and class weights",
            f"{_LOG_P}-(weight * shares * log_p).sum(axis=1).mean()",
            "nn.CrossEntropyLoss(weight=weight)(prediction, shares)",
            "optax.softmax_cross_entropy(prediction, weight * shares).mean()",
            "here the mean divides by the number of rows, weighted or not",
        ),
    ),
    (
        "bce_with_logits",
        Phrase(
            "BCEWithLogitsLoss, pos_weight",
            "loss = weight * target * np.logaddexp(0, -prediction) + (1 - target) * np.logaddexp(0, prediction)\n"
            "loss.mean()",
            "nn.BCEWithLogitsLoss(pos_weight=weight)(prediction, target)",
            "loss = weight * target * jax.nn.softplus(-prediction) + (1 - target) * jax.nn.softplus(prediction)\n"
            "loss.mean()",
            "Optax has none",
        ),
    ),
    (
        "kl_div",
        Phrase(
            "KLDivLoss, log_target, batchmean",
            "t = np.log(target)\n(np.exp(t) * (t - prediction)).sum() / len(prediction)",
            't = target.log()\nnn.KLDivLoss(reduction="batchmean", log_target=True)(prediction, t)',
            "t = jnp.log(target)\noptax.losses.kl_divergence_with_log_targets(prediction, t).mean()",
        ),
    ),
    (
        "multi_margin",
        Phrase(
            "MultiMarginLoss, p 2, margin 0.5",
            _hinges("np", 0.5) + "np.square(np.maximum(0, z)).mean()",
            "nn.MultiMarginLoss(p=2, margin=0.5)(prediction, target)",
            _hinges("jnp", 0.5) + "jnp.square(jax.nn.relu(z)).mean()",
        ),
    ),
    (
        "multi_margin",
        Phrase(
            "MultiMarginLoss, class weights, reduction sum",
            _hinges("np", 1) + "(weight[target, None] * np.maximum(0, z)).sum() / z.shape[1]",
            'nn.MultiMarginLoss(weight=weight, reduction="sum")(prediction, target)',
            _hinges("jnp", 1) + "(weight[target, None] * jax.nn.relu(z)).sum() / z.shape[1]",
            "the division by the number of classes stays; the mean divides by rows, not by weights",
        ),
    ),
    (
        "mse",
        Phrase(
            "MSELoss, reduction sum",
            "np.square(prediction - target).sum()",
            'nn.MSELoss(reduction="sum")(prediction, target)',
            "optax.squared_error(prediction, target).sum()",
            "the mean times the number of elements, and so is its gradient: divide the learning rate by it",
        ),
    ),
    (
        "mse",
        Phrase(
            "MSELoss, reduction none",
            "np.square(prediction - target)",
            'nn.MSELoss(reduction="none")(prediction, target)',
            "optax.squared_error(prediction, target)",
            "a gradient is of a number: add up first",
        ),
    ),
)
