"""Seeded bugs: realistic mistakes as small patches of the backends, for certificate and doctor to find."""

from __future__ import annotations

from benchmarks.experiments.mutants.base import Mutant
from benchmarks.experiments.mutants.first import FIRST
from benchmarks.experiments.mutants.foreseen import FORESEEN
from benchmarks.experiments.mutants.second import SECOND

__all__ = ["MUTANTS", "Mutant"]

MUTANTS: tuple[Mutant, ...] = (*FORESEEN, *FIRST, *SECOND)
