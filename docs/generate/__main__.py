"""Write every page of the documentation that has generated parts."""

from __future__ import annotations

from docs.generate.pages import pages
from docs.generate.picture import PICTURE, picture


def main() -> None:
    """Write the pages in place; a test checks that they are what this would write."""
    for path, text in pages().items():
        path.write_text(text, encoding="utf-8")
    PICTURE.write_text(picture(), encoding="utf-8")


if __name__ == "__main__":
    main()
