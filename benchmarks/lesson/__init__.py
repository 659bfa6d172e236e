"""The walk of the book, S1 to S13, in every backend: `walk` finds the numbers, `render` writes them."""

from benchmarks.lesson.schema import Walk
from benchmarks.lesson.text import render
from benchmarks.lesson.walk import LANES, walk

__all__ = ["LANES", "Walk", "render", "walk"]
