"""Seeded bugs: realistic mistakes as small patches of the backends, for certificate and doctor to find."""

from __future__ import annotations

from validation.mutants.base import Mutant
from validation.mutants.first import FIRST
from validation.mutants.foreseen import FORESEEN
from validation.mutants.second import SECOND

__all__ = ["MUTANTS", "Mutant"]

MUTANTS: tuple[Mutant, ...] = (*FORESEEN, *FIRST, *SECOND)
