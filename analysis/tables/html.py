"""Tables as a page: one HTML file that asks for nothing else. The report is made the same way.

Text is plain text everywhere: the templates escape it. Only SVG elements, style and script pass
unescaped, and those come from this package.
"""

import base64
import hashlib
from pathlib import Path
from typing import Any

from analysis.tables.model import Document

TEMPLATES = Path(__file__).resolve().parent / "templates"


def html(document: Document) -> str:
    """The document's tables, section by section, in the report's style."""
    return fill("tables.html.j2", document=document)


def fill(template: str, folder: Path = TEMPLATES, **values: Any) -> str:
    """A page from a template, in `folder` or beside this module.

    Its content security policy forbids every request and every script but the page's own.
    """
    # jinja2 costs 50 ms, which tables in other formats do not need.
    from jinja2 import Environment, FileSystemLoader, StrictUndefined
    from markupsafe import Markup

    style = (TEMPLATES / "page.css").read_text(encoding="utf-8")
    script = (TEMPLATES / "page.js").read_text(encoding="utf-8")
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    environment = Environment(
        loader=FileSystemLoader([folder, TEMPLATES]),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.filters["svg"] = Markup
    return environment.get_template(template).render(
        style=Markup(style), script=Markup(script), script_digest=f"sha256-{digest}", **values
    )
