"""How do figures read? As text, tables and one page, without any framework and without statistics.

`columns` defines every column once; `tables`, `sweep_tables`, `certificate_tables` and `diff_tables` say what the
tables hold, `text_table` writes them for a terminal, GitHub and HTML, and `page` makes the page.
"""
