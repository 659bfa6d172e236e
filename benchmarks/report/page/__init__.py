"""One self-contained HTML file that shows a record, without any framework or network."""

from .assemble import NAME, file_name, page

__all__ = ["NAME", "file_name", "page"]
