"""What every page has: styles, the drawing library, scripts, and the policy that nothing else runs."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from typing import Any

import vl_convert
from markupsafe import Markup

from .. import html
from ..html import Anchors
from .chart_parts import CONFIG, VEGA_LITE, Figure


def framed(template: str, figures: Sequence[Figure], *scripts: str, **values: Any) -> str:
    """A page from its template, its figures, which get their numbers here, and the names of its scripts."""
    drawn = [figure for figure in figures if figure.spec]
    for number, figure in enumerate(drawn):
        figure.number = number
    charts = html.script_json({"config": CONFIG, "specs": [figure.spec for figure in drawn]})
    return html.fill(template, charts=charts, **_inlined(scripts), **values)


def address(figures: Sequence[Figure], anchors: Anchors, *names: str) -> None:
    """Give figures their addresses, which begin with some names."""
    for figure in figures:
        figure.anchor = anchors.of(*names, figure.name)


@cache
def _inlined(scripts: tuple[str, ...]) -> dict[str, Markup]:
    """Styles and scripts, and the policy: nothing is fetched, and no script runs but these two.

    A chart becomes a picture by way of a canvas, and a file by way of the browser's memory: neither is fetched.
    """
    bundle = vl_convert.javascript_bundle("window.vegaEmbed = vegaEmbed;", vl_version=VEGA_LITE)
    bundle = bundle.replace("</script", "<\\/script").replace("<!--", "<\\!--")  # it must not end its element
    script = "\n".join(str(html.static(name)) for name in scripts)
    allowed = " ".join(map(html.script_hash, (f"\n{bundle}\n", f"\n{script}\n")))
    policy = f"default-src 'none'; script-src {allowed}; style-src 'unsafe-inline'; img-src data:"
    return {
        "base": html.static("base.css"),
        "style": html.static("page.css"),
        "bundle": Markup(bundle),
        "script": Markup(script),
        "policy": Markup(policy),
    }
