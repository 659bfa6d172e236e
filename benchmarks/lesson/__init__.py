"""The walk of the book, S1 to S13, in every backend: `walk` finds the numbers, `render` writes them."""

from .models import Walk
from .text import render
from .walk import LANES, walk

__all__ = ["LANES", "Walk", "render", "walk"]
