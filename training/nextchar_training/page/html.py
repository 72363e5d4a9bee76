"""Renders pages of one HTML file, without scripts and without anything loaded from elsewhere."""

from collections.abc import Iterable, Sequence
from html import escape

_STYLE = """
:root { color-scheme: light dark; }
body { font: 16px/1.5 system-ui, sans-serif; max-width: 62rem; margin: 2rem auto; padding: 0 1rem; }
h1 { font-size: 1.6rem; } h2 { font-size: 1.2rem; margin-top: 2.2rem; }
table { border-collapse: collapse; } th, td { text-align: left; padding: .2rem 1rem .2rem 0; }
th { font-weight: 600; } td.number { text-align: right; font-variant-numeric: tabular-nums; }
tr.best td { font-weight: 700; }
img { max-width: 100%; background: white; border-radius: 4px; }
pre { white-space: pre-wrap; overflow-wrap: anywhere; font: 14px/1.45 ui-monospace, monospace; }
pre.surprise { line-height: 1.7; color: #111; background: white; padding: .8rem; border-radius: 4px; }
.samples { display: grid; grid-template-columns: repeat(auto-fit, minmax(17rem, 1fr)); gap: 1rem; }
.warning { border-left: 4px solid #c2571a; padding-left: .8rem; }
.scroll { overflow-x: auto; } .scroll img { max-width: none; }
"""
_MAX_BITS = 8.0


def page(title: str, parts: Iterable[str]) -> str:
    """Renders a whole document; `parts` are HTML, in order."""
    head = f'<meta charset="utf-8"><title>{escape(title)}</title>'
    view = '<meta name="viewport" content="width=device-width, initial-scale=1">'
    body = "\n".join([f"<h1>{escape(title)}</h1>", *parts])
    return (
        f'<!DOCTYPE html>\n<html lang="en">\n<head>{head}{view}<style>{_STYLE}</style></head>\n'
        f"<body>\n{body}\n</body>\n</html>\n"
    )


def heading(text: str) -> str:
    """Renders a heading of a section."""
    return f"<h2>{escape(text)}</h2>"


def paragraph(text: str, *, warning: bool = False) -> str:
    """Renders a paragraph, set off as a warning or not."""
    return f'<p class="warning">{escape(text)}</p>' if warning else f"<p>{escape(text)}</p>"


def picture(address: str, text: str, *, wide: bool = False) -> str:
    """Renders an image with its description; a wide one scrolls."""
    image = f'<img src="{address}" alt="{escape(text)}">'
    return f'<div class="scroll">{image}</div>' if wide else image


def table(header: Sequence[str], rows: Iterable[Sequence[object]], *, best: int | None = None) -> str:
    """Renders a table; numbers are aligned right, the row `best` is bold."""
    lines = ["<tr>" + "".join(f"<th>{escape(cell)}</th>" for cell in header) + "</tr>"]
    for k, row in enumerate(rows):
        cells = "".join(map(_cell, row))
        lines.append(f'<tr class="best">{cells}</tr>' if k == best else f"<tr>{cells}</tr>")
    return '<div class="scroll"><table>' + "\n".join(lines) + "</table></div>"


def _cell(value: object) -> str:
    if isinstance(value, float):
        return f'<td class="number">{value:.4f}</td>'
    return (
        f'<td class="number">{value:,}</td>' if isinstance(value, int) else f"<td>{escape(str(value))}</td>"
    )


def columns_of_text(texts: Iterable[tuple[str, str]]) -> str:
    """Renders texts side by side, each under its title."""
    parts = "".join(f"<div><strong>{escape(t)}</strong><pre>{escape(x)}</pre></div>" for t, x in texts)
    return f'<div class="samples">{parts}</div>'


def surprise(characters: Sequence[str], bits: Sequence[float], notes: Sequence[str]) -> str:
    """Renders a text, each character on white (0 bits) to red (8 bits or more), with a note on hovering."""
    parts = []
    for character, cost, note in zip(characters, bits, notes, strict=True):
        shade = round(255 * (1 - min(cost, _MAX_BITS) / _MAX_BITS))
        shown = "↵\n" if character == "\n" else character
        style = f"background:rgb(255,{shade},{shade})"
        parts.append(f'<span style="{style}" title="{escape(note)}">{escape(shown)}</span>')
    return f'<pre class="surprise">{"".join(parts)}</pre>'
