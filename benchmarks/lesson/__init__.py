"""What does the book's lesson show in every backend? S1 to S13, worked out now.

`walk` works the numbers out: lane.py those of one lane, exercises.py the exercises, catalog.py what the registry
offers. models.py says what they are. `render` writes them: text.py and text_exercise*.py the sections, page.py
the layout, figures.py the numbers, quotations.py the code beside them.
"""

from .models import Walk
from .text import render
from .walk import LANES, walk

__all__ = ["LANES", "Walk", "render", "walk"]
