"""Did two programs do the same training, step by step, within the rounding of their dtype?

    from samestep.benchmarks.parity import Rows, certify

    certify(program, task, Rows(x, y))

where the program is a backend, functions that take and return parameters, or parameters recorded step by step
by a program in any language (docs/porting.md). `reference` takes one step in higher precision and bounds the
rounding of a correct one, `judge` holds a recorded run to both, `doctor` says what is likely wrong, and
`certificate` runs a lane and signs.
"""

from ..record.proof import Certificate, Judgement
from .array_data import Data, Rows
from .array_digest import digest
from .certificate import final_distance
from .judge import judge
from .port import assert_same_step, certify, export
from .workload import Workload, initial_parameters

__all__ = [
    "Certificate",
    "Data",
    "Judgement",
    "Rows",
    "Workload",
    "assert_same_step",
    "certify",
    "digest",
    "export",
    "final_distance",
    "initial_parameters",
    "judge",
]
