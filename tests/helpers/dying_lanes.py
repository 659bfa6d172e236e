"""Lanes whose process is killed while they are raced, as the system may kill any process."""

from __future__ import annotations

import os
import signal
from pathlib import Path
from typing import Any

from samestep.backends.numpy_modes import NumpyTuned
from validation.trap_lanes import SOUND

DYING = "tests.helpers.dying_lanes:DiesOnce"
DIED = "SAMESTEP_TEST_DIED"  # names a file that is there once a process has been killed


class DiesOnce(NumpyTuned):
    """Is killed in the first process that runs often enough to be in a race; the next ones live."""

    calls = 0

    def epoch(self, state: Any, data: Any, rows: Any, batch_size: int, learning_rates: Any) -> Any:
        self.calls += 1
        mark = Path(os.environ[DIED])
        if self.calls > SOUND and not mark.exists():
            mark.touch()
            os.kill(os.getpid(), signal.SIGKILL)
        return super().epoch(state, data, rows, batch_size, learning_rates)
