"""Parity: proof that two programs did the same training, step by step, within the rounding of their dtype.

    from benchmarks.parity import Rows, certify

    certify(program, task, Rows(x, y))

where the program is a backend, functions that take and return parameters, or parameters recorded step by step by
a program in any language (docs/porting.md).

`reference` takes one step in higher precision, `bounds` says how far a correct step can be from it, `judge`
compares a record with both, and `certificate` runs a lane and signs.
"""

from ..record.proof import Certificate, Diagnosis, Evidence, Judgement, Status
from .certificate import final_distance
from .judge import judge
from .port import certify, export
from .workload import Data, Rows, Workload, digest, initial_parameters

__all__ = [
    "Certificate",
    "Data",
    "Diagnosis",
    "Evidence",
    "Judgement",
    "Rows",
    "Status",
    "Workload",
    "certify",
    "digest",
    "export",
    "final_distance",
    "initial_parameters",
    "judge",
]
