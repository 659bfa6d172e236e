"""Every loss of the registry, written in each framework over the inputs that the registry names."""

from __future__ import annotations

from .phrases import Phrase

_PICKED = "np.take_along_axis(prediction, target[:, None], axis=1)"

LOSSES = {
    "l1": Phrase(
        "L1Loss",
        "np.abs(prediction - target).mean()",
        "nn.L1Loss()(prediction, target)",
        "jnp.abs(prediction - target).mean()",
        "value alike, gradient not: jax.grad of abs is 1 at 0",
    ),
    "mse": Phrase(
        "MSELoss",
        "np.square(prediction - target).mean()",
        "nn.MSELoss()(prediction, target)",
        "optax.squared_error(prediction, target).mean()",
        "optax.l2_loss is one half of it",
    ),
    "smooth_l1": Phrase(
        "SmoothL1Loss, beta 0.5",
        "e = np.abs(prediction - target)\nnp.where(e < 0.5, e * e / (2 * 0.5), e - 0.5 / 2).mean()",
        "nn.SmoothL1Loss(beta=0.5)(prediction, target)",
        "(optax.huber_loss(prediction, target, delta=0.5) / 0.5).mean()",
        "the lesson's Huber loss; see the traps",
    ),
    "huber": Phrase(
        "HuberLoss, delta 0.5",
        "e = np.abs(prediction - target)\nnp.where(e <= 0.5, e * e / 2, 0.5 * (e - 0.5 / 2)).mean()",
        "nn.HuberLoss(delta=0.5)(prediction, target)",
        "optax.huber_loss(prediction, target, delta=0.5).mean()",
        "delta times SmoothL1Loss",
    ),
    "cross_entropy": Phrase(
        "CrossEntropyLoss, class indices",
        "z = prediction - prediction.max(axis=1, keepdims=True)\n"
        "log_p = z - np.log(np.exp(z).sum(axis=1, keepdims=True))\n"
        "-np.take_along_axis(log_p, target[:, None], axis=1).mean()",
        "nn.CrossEntropyLoss()(prediction, target)",
        "optax.softmax_cross_entropy_with_integer_labels(prediction, target).mean()",
        "with weights, PyTorch's mean divides by their sum",
    ),
    "nll": Phrase(
        "NLLLoss",
        f"-{_PICKED}.mean()",
        "nn.NLLLoss()(prediction, target)",
        f"-{_PICKED.replace('np', 'jnp')}.mean()",
        "takes log-probabilities",
    ),
    "nll2d": Phrase(
        "NLLLoss2d",
        f"-{_PICKED}.mean()",
        "nn.NLLLoss()(prediction, target)",
        f"-{_PICKED.replace('np', 'jnp')}.mean()",
        "the old name of NLLLoss on (N, C, H, W)",
    ),
    "kl_div": Phrase(
        "KLDivLoss, batchmean",
        "(target * (np.log(target) - prediction)).sum() / len(prediction)",
        'nn.KLDivLoss(reduction="batchmean")(prediction, target)',
        "optax.losses.kl_divergence(prediction, target).mean()",
        "PyTorch's own default, mean, divides by every element",
    ),
    "bce": Phrase(
        "BCELoss",
        "log = lambda p: np.maximum(np.log(p), -100)\n"
        "-(target * log(prediction) + (1 - target) * log(1 - prediction)).mean()",
        "nn.BCELoss()(prediction, target)",
        "log = lambda p: jnp.maximum(jnp.log(p), -100)\n"
        "-(target * log(prediction) + (1 - target) * log(1 - prediction)).mean()",
        "value alike, gradient not at 0 and 1; see the traps",
    ),
    "bce_with_logits": Phrase(
        "BCEWithLogitsLoss",
        "(np.logaddexp(0, prediction) - target * prediction).mean()",
        "nn.BCEWithLogitsLoss()(prediction, target)",
        "optax.sigmoid_binary_cross_entropy(prediction, target).mean()",
        "Optax has no pos_weight",
    ),
    "margin_ranking": Phrase(
        "MarginRankingLoss",
        "np.maximum(0, -y * (x1 - x2)).mean()",
        "nn.MarginRankingLoss()(x1, x2, y)",
        "jax.nn.relu(-y * (x1 - x2)).mean()",
        "three arrays",
    ),
    "hinge_embedding": Phrase(
        "HingeEmbeddingLoss",
        "np.where(target == 1, prediction, np.maximum(0, 1 - prediction)).mean()",
        "nn.HingeEmbeddingLoss()(prediction, target)",
        "jnp.where(target == 1, prediction, jax.nn.relu(1 - prediction)).mean()",
        "optax.hinge_loss is another loss; see the traps",
    ),
    "multilabel_margin": Phrase(
        "MultiLabelMarginLoss",
        "listed = np.cumsum(target < 0, axis=1) == 0\n"
        "x_j = np.take_along_axis(prediction, np.where(listed, target, 0), axis=1)[:, :, None]\n"
        "named = np.eye(3, dtype=bool)[target] & listed[:, :, None]\n"
        "compared = listed[:, :, None] & ~named.any(axis=1)[:, None, :]\n"
        "(compared * np.maximum(0, 1 - x_j + prediction[:, None, :])).sum(axis=(1, 2)).mean() / 3",
        "nn.MultiLabelMarginLoss()(prediction, target)",
        "listed = jnp.cumsum(target < 0, axis=1) == 0\n"
        "x_j = jnp.take_along_axis(prediction, jnp.where(listed, target, 0), axis=1)[:, :, None]\n"
        "named = jax.nn.one_hot(target, 3) * listed[:, :, None]\n"
        "compared = listed[:, :, None] & ~named.any(axis=1)[:, None, :]\n"
        "(compared * jax.nn.relu(1 - x_j + prediction[:, None, :])).sum(axis=(1, 2)).mean() / 3",
        "a row's labels end at its first -1; each is compared with every class that is not listed",
    ),
    "soft_margin": Phrase(
        "SoftMarginLoss",
        "np.logaddexp(0, -target * prediction).mean()",
        "nn.SoftMarginLoss()(prediction, target)",
        "jax.nn.softplus(-target * prediction).mean()",
        "PyTorch's overflows; see the traps",
    ),
    "multilabel_soft_margin": Phrase(
        "MultiLabelSoftMarginLoss",
        "(np.logaddexp(0, prediction) - target * prediction).mean(axis=1).mean()",
        "nn.MultiLabelSoftMarginLoss()(prediction, target)",
        "optax.sigmoid_binary_cross_entropy(prediction, target).mean(axis=1).mean()",
    ),
    "cosine_embedding": Phrase(
        "CosineEmbeddingLoss",
        "c = (x1 * x2).sum(axis=1) / (np.linalg.norm(x1, axis=1) * np.linalg.norm(x2, axis=1))\n"
        "np.where(y == 1, 1 - c, np.maximum(0, c)).mean()",
        "nn.CosineEmbeddingLoss()(x1, x2, y)",
        "c = optax.losses.cosine_similarity(x1, x2)\njnp.where(y == 1, 1 - c, jax.nn.relu(c)).mean()",
        "at a zero vector they differ; see the traps",
    ),
    "multi_margin": Phrase(
        "MultiMarginLoss",
        f"z = 1 - {_PICKED} + prediction\n"
        "np.put_along_axis(z, target[:, None], 0, axis=1)\n"
        "np.maximum(0, z).mean()",
        "nn.MultiMarginLoss()(prediction, target)",
        f"z = 1 - {_PICKED.replace('np', 'jnp')} + prediction\n"
        "jnp.where(jax.nn.one_hot(target, z.shape[1]) == 1, 0, jax.nn.relu(z)).mean()",
        "optax.losses.multiclass_hinge_loss is another loss; see the traps",
    ),
}
