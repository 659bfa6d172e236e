"""How good is it? Held-out error, and the loss on the way there."""
