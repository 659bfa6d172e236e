"""The private names of PyTorch that the lanes use, all of them here; a test watches them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

while_loop: Callable[..., Any] | None
"""while_loop(go_on, body, carries): carries = body(*carries) as long as go_on(*carries).

`body` must give new tensors: not its arguments, changed or as they are. None where this PyTorch lacks it.
"""

try:
    from torch._higher_order_ops.while_loop import while_loop
except ImportError:
    while_loop = None
