"""Seeded bugs: does the certificate catch a realistic mistake, and does the doctor name it?

Each mutant is one entry of a table: what the porter did, the cause that the doctor should name, the few methods
of a backend that do it, and the task where it is not the plain one. Those in `ports` are programs of functions.
"""

from __future__ import annotations

from samestep import backends

from .foreseen import FORESEEN
from .mutant import Mutant
from .ports import THIRD, PortMutant
from .unseen_first import FIRST
from .unseen_second import SECOND

__all__ = ["MUTANTS", "Mutant"]

ALL: dict[str, Mutant | PortMutant] = {**FORESEEN, **FIRST, **SECOND, **THIRD}
HERE = {name for name in {mutant.framework for mutant in ALL.values()} if backends.missing(name) is None}
MUTANTS = {what: mutant for what, mutant in ALL.items() if mutant.framework in HERE}
