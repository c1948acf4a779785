"""A matplotlib figure as an SVG element that can stand in an HTML page, light or dark.

Text stays text, colours of ink, grid and paper become the page's CSS variables, and ids are made
unique, since all SVGs of one page share one space of ids.
"""

import io
import re
import warnings
import xml.etree.ElementTree as ET
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from matplotlib.figure import Figure

# Figures are drawn in these; the page's style sheet says what they are in each theme.
INK, GRID, PAPER = "#010203", "#040506", "#070809"
_VARIABLES = {INK: "var(--ink)", GRID: "var(--grid)", PAPER: "var(--paper)"}
FONT_SIZE = 10.5  # px at the figure's natural width

_SVG, _XLINK = "http://www.w3.org/2000/svg", "http://www.w3.org/1999/xlink"
_REFERENCE = re.compile(r"url\(#([^)]+)\)")
_FONT = re.compile(r" font-family: [^;]*;")
_DECIMALS = re.compile(r"(\d+\.\d{2})\d+")


def settings() -> Any:
    """matplotlib's settings for figures that `element` converts; for `matplotlib.rc_context`."""
    return {
        "svg.fonttype": "none",
        "svg.hashsalt": "report",
        "font.family": "sans-serif",
        "font.size": FONT_SIZE,
        "figure.facecolor": "none",
        "axes.facecolor": "none",
        "savefig.facecolor": "none",
        "text.color": INK,
        "axes.labelcolor": INK,
        "axes.titlecolor": INK,
        "axes.edgecolor": GRID,
        "xtick.color": GRID,
        "ytick.color": GRID,
        "xtick.labelcolor": INK,
        "ytick.labelcolor": INK,
        "grid.color": GRID,
        "grid.linewidth": 0.6,
        "axes.linewidth": 0.8,
        "axes.titlesize": FONT_SIZE + 1,
        "axes.titleweight": "bold",
        "axes.titlelocation": "left",
        "axes.spines.top": False,
        "axes.spines.right": False,
        "legend.frameon": False,
        "lines.linewidth": 1.6,
        "figure.dpi": 72,
        "axes.axisbelow": True,
        "axes.unicode_minus": True,
        "path.simplify": True,
        "text.parse_math": False,
    }


def element(figure: "Figure", name: str, title: str, description: str) -> str:
    """The figure as one <svg> element; `name` begins every id in it and must be unique in the page.

    title and description are read out by screen readers; both are escaped here.
    """
    buffer = io.StringIO()
    with warnings.catch_warnings():
        # Labels that leave no room for their axes are clipped by the page, and told in the table
        # beside it.
        warnings.filterwarnings("ignore", "constrained_layout not applied", UserWarning)
        figure.savefig(buffer, format="svg", metadata={"Date": None, "Creator": None})
    root = ET.fromstring(buffer.getvalue())
    _drop(root, {f"{{{_SVG}}}metadata", f"{{{_SVG}}}style"})
    _rename_ids(root, name)
    for node in root.iter():
        for key, value in node.attrib.items():
            if key != "id":
                node.set(key, _lean(value))
    _head(root, name, title, description)
    ET.register_namespace("", _SVG)
    text = ET.tostring(root, encoding="unicode")
    return re.sub(r">\s+<", "><", text.replace(f' xmlns="{_SVG}"', ""))


def _drop(root: ET.Element, tags: set[str]) -> None:
    for parent in list(root.iter()):
        for child in list(parent):
            if child.tag in tags:
                parent.remove(child)


def _rename_ids(root: ET.Element, name: str) -> None:
    """Keep only ids that something refers to, under short names of this figure's own; links without
    XLink.
    """
    used: dict[str, str] = {}
    for node in root.iter():
        link = node.attrib.pop(f"{{{_XLINK}}}href", None)
        if link is not None:
            used.setdefault(link[1:], f"{name}-{len(used)}")
            node.set("href", f"#{used[link[1:]]}")
        for key, value in node.attrib.items():
            for target in _REFERENCE.findall(value):
                used.setdefault(target, f"{name}-{len(used)}")
            node.set(key, _REFERENCE.sub(lambda found: f"url(#{used[found[1]]})", value))
    for node in root.iter():
        old = node.attrib.pop("id", None)
        if old in used:
            node.set("id", used[old])


def _lean(value: str) -> str:
    """An attribute in the page's colours, without needless digits, and without a font: the page
    sets it.
    """
    value = _FONT.sub("", _DECIMALS.sub(r"\1", value))
    for colour, variable in _VARIABLES.items():
        value = value.replace(colour, variable)
    return value


def _head(root: ET.Element, name: str, title: str, description: str) -> None:
    width, height = root.attrib.pop("width"), root.attrib.pop("height")
    root.attrib.pop("version", None)
    across, down = (float(re.sub(r"[^0-9.]", "", size)) for size in (width, height))
    root.set("style", f"aspect-ratio:{across:g}/{down:g};max-width:{across:g}px")
    root.set("role", "img")
    root.set("aria-labelledby", f"{name}-title {name}-description")
    for position, (tag, text) in enumerate((("title", title), ("desc", description))):
        node = ET.Element(
            f"{{{_SVG}}}{tag}", {"id": f"{name}-{'title' if tag == 'title' else 'description'}"}
        )
        node.text = text
        root.insert(position, node)
