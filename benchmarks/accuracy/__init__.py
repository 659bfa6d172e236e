"""How good is it? scores.py: the final parameters, on training and held-out rows; learning_curve.py: the way."""
