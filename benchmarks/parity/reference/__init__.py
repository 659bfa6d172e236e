"""One training step from the mathematics, in higher precision, and how far a correct one can be from it."""
