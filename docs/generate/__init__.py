"""Which text belongs in the generated parts of the pages? `python -m docs.generate` writes it, from a checkout.

`pages.pages()` is the one table of all generated parts, with the text that each page must have.
"""
