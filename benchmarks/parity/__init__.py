"""Parity: proof that two programs did the same training, step by step, within the rounding of their dtype.

    from benchmarks.parity import certify            # a backend
    from benchmarks.parity import certify_step       # a function from parameters to parameters
    from benchmarks.parity import certify_stream     # recorded parameters, from a program in any language

`reference` takes one step in higher precision, `bounds` says how far a correct step can be from it, `judge`
compares a record with both, and `certificate` runs a lane and signs.
"""

from benchmarks.parity.certificate import apart, certify
from benchmarks.parity.judge import judge
from benchmarks.parity.port import certify_step, certify_stream, export
from benchmarks.parity.verdicts import Certificate, Evidence, Judgement, Status
from benchmarks.parity.work import Data, Work, digest, start

__all__ = [
    "Certificate",
    "Data",
    "Evidence",
    "Judgement",
    "Status",
    "Work",
    "apart",
    "certify",
    "certify_step",
    "certify_stream",
    "digest",
    "export",
    "judge",
    "start",
]
