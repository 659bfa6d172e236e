"""Every loss in PyTorch: torch.nn itself does the work.

PyTorch's documented definitions are the definition here. Its arithmetic is left as it is, also where it departs
from what we ask of the other two:

- a hinge at exactly 0 has derivative 1, not 0, in MarginRankingLoss, HingeEmbeddingLoss and CosineEmbeddingLoss
  (torch 2.13);
- SoftMarginLoss overflows where -y x passes the largest exponent (about 89 in float32): value inf, gradient NaN;
- BCELoss's gradient with respect to the target leaves out the floor of -100: infinite where x is 0 or 1;
- KLDivLoss's gradient with respect to the target is NaN where t = 0;
- CosineEmbeddingLoss multiplies the squared norms, which overflows long before the norms do.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, TypeAlias

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from . import losses

Array: TypeAlias = NDArray[Any]
Result: TypeAlias = tuple[Array, dict[str, Array]]

# --- classes --------------------------------------------------------------------------------------------------


class MultiLabelMargin(nn.Module):
    """MultiLabelMarginLoss written out, for torch.compile.

    Up to torch 2.13 the compiler takes what stands behind the first -1 of a target for class 0 and gives a wrong
    loss without a warning (https://github.com/pytorch/pytorch/issues/141017).
    """

    def __init__(self, reduction: str) -> None:
        super().__init__()
        self.reduction = reduction

    def forward(self, input: Tensor, target: Tensor) -> Tensor:
        listed = (target >= 0).cumprod(-1).bool()  # the classes of a row end at the first -1
        labels = torch.where(listed, target, 0)
        right = torch.zeros_like(input).scatter_add(-1, labels, listed.to(input.dtype))
        z = 1 - input[..., :, None] + input[..., None, :]
        pairs = right[..., :, None] * (right == 0)[..., None, :]
        value = (pairs * functional.relu(z)).sum((-2, -1)) / input.shape[-1]
        return value.sum() if self.reduction == "sum" else value.mean()


# --- probabilities --------------------------------------------------------------------------------------------


class KLDivMean(nn.KLDivLoss):
    """KLDivLoss with reduction mean, without the advice to prefer batchmean that torch gives at every call."""

    def forward(self, input: Tensor, target: Tensor) -> Tensor:
        return functional.kl_div(input, target, reduction="none", log_target=self.log_target).mean()


# --- the table ------------------------------------------------------------------------------------------------


def function(
    name: str,
    arguments: Mapping[str, Any],
    *,
    dtype: torch.dtype = torch.float32,
    device: str | torch.device = "cpu",
) -> nn.Module:
    """The loss as torch.nn's own module, its weights in `dtype` on `device`.

    Raises:
        ValueError: no such loss, or options that it does not take.
    """
    spec = losses.get(name)
    spec.check_options(arguments)
    weights = {
        key: torch.as_tensor(np.asarray(value), dtype=dtype, device=device)
        for key, value in arguments.items()
        if key in ("weight", "pos_weight") and value is not None
    }
    kind: type[nn.Module] = getattr(nn, spec.torch_name)
    if kind is nn.NLLLoss2d:  # a deprecated alias
        kind = nn.NLLLoss
    elif kind is nn.KLDivLoss and arguments.get("reduction", "mean") == "mean":
        kind = KLDivMean
    return kind(**{**arguments, **weights})


def compilable(loss: nn.Module) -> nn.Module:
    """The same loss in a form that torch.compile gets right."""
    return MultiLabelMargin(loss.reduction) if isinstance(loss, nn.MultiLabelMarginLoss) else loss


def loss_and_gradient(
    name: str, arrays: Sequence[Array], arguments: Mapping[str, Any], device: str = "cpu"
) -> Result:
    """Value and gradient by input name, in the inputs' dtype; with reduction "none" the gradient of the sum.

    Raises:
        ValueError: what `LossSpec.check` refuses, and a dtype that torch lacks for this loss on this device.
    """
    spec = losses.get(name)
    spec.check(arrays, arguments)
    dtype, keys = arrays[0].dtype, spec.gradients(arrays)
    tensors = [_tensor(array).to(device) for array in arrays]
    leaves = [tensors[spec.inputs.index(key)].requires_grad_() for key in keys]
    try:
        with torch.enable_grad():
            value = function(name, arguments, dtype=tensors[0].dtype, device=device)(*tensors)
            gradients = torch.autograd.grad(value.sum(), leaves)
    except NotImplementedError as error:
        raise ValueError(f"{name}: torch has no {spec.torch_name} in {dtype} on {device}") from error
    return _array(value, dtype), {key: _array(g, dtype) for key, g in zip(keys, gradients, strict=True)}


def _tensor(array: Array) -> Tensor:
    """A copy as a tensor; classes become int64, and bfloat16, which NumPy lacks, crosses over as its 16 bits."""
    if array.dtype.kind in "iu":
        return torch.from_numpy(array.astype(np.int64))
    if array.dtype.name == "bfloat16":
        return torch.from_numpy(array.copy().view(np.int16)).view(torch.bfloat16)
    return torch.from_numpy(array.copy())


def _array(tensor: Tensor, dtype: np.dtype[Any]) -> Array:
    tensor = tensor.detach().cpu()
    if tensor.dtype == torch.bfloat16:
        return tensor.contiguous().view(torch.int16).numpy().view(dtype)
    return tensor.numpy()
