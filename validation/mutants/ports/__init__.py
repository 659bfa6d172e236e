"""Mistakes in ports, written without knowledge of the doctor, and rewritings that are no mistakes."""

from .harmless import HARMLESS
from .programs import PortMutant, Rewriting
from .third_gradients import THIRD_GRADIENTS
from .third_models import THIRD_MODELS
from .third_updates import THIRD_UPDATES

__all__ = ["HARMLESS", "THIRD", "PortMutant", "Rewriting"]

THIRD: dict[str, PortMutant] = {**THIRD_UPDATES, **THIRD_GRADIENTS, **THIRD_MODELS}
