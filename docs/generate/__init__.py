"""Makes the generated parts of the documentation: `python -m docs.generate`, from a checkout."""
