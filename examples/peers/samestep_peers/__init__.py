"""Lanes of libraries with a training loop of their own: what is timed is that loop, as their guides call it."""
