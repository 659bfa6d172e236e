"""One self-contained HTML file that shows a record, or two side by side, without any framework or network."""

from .assemble import NAME, file_name, page
from .changes import CHANGES, changes_page

__all__ = ["CHANGES", "NAME", "changes_page", "file_name", "page"]
