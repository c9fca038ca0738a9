"""A runbook as a picture: Mermaid, and SVG without any other program."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from xml.sax.saxutils import escape, quoteattr

from runner.book.model import Runbook, Step

_SHAPES = {
    "command": ('["', '"]'),
    "check": ('(["', '"])'),
    "gate": ('{{"', '"}}'),
    "probe": ('[/"', '"/]'),
    "wait": ('("', '")'),
    "manual": ('[["', '"]]'),
}
_COLOURS = {
    "command": "#dbe9ff",
    "check": "#e2f4e2",
    "gate": "#ffe9b8",
    "probe": "#efe2ff",
    "wait": "#eeeeee",
    "manual": "#ffdede",
}
_WIDTH, _HEIGHT, _GAP, _LEFT, _BACK = 320, 46, 22, 20, 420


@dataclass(frozen=True)
class Back:
    """An arrow that leads back: from a step or a way, to a way, or to nothing.

    Attributes:
        label: When it is taken.
        to: The name of a way; empty where there is only the label.
    """

    label: str
    to: str = ""


def ways_back(step: Step) -> Iterator[Back]:
    """Yield how a step is taken back, each way once."""
    undo = step.undo
    if undo is None:
        return
    if undo.run:
        yield Back("undo")
        if undo.otherwise:
            yield Back("undo exits " + ", ".join(map(str, undo.on)), undo.otherwise)
    elif undo.brought:
        yield Back("undo by the runner")
    elif undo.way:
        yield Back("undo", undo.way)
    elif undo.ask:
        yield Back(f"{undo.ask} yes", undo.yes)
        yield Back(f"no: {undo.no}")
    else:
        yield Back(f"not undone: {undo.none}")


def _label(step: Step) -> str:
    parts = [step.id, step.title, step.owner and f"({step.owner})"]
    text = " ".join(filter(None, parts))
    return text if step.enabled else f"{text} [off]"


def mermaid(book: Runbook) -> str:
    """Return the picture as text for Mermaid; names of nodes are numbers, so nothing can break out.

    Quotes and other marks of the language in texts become character references.
    """
    lines = ["flowchart TD"]
    ways = {name: f"w{at}" for at, name in enumerate(book.ways)}
    for at, step in enumerate(book.steps):
        first, last = _SHAPES[step.kind]
        lines.append(f"  s{at}{first}{_plain(_label(step))}{last}")
        if at:
            line = "==point of no return==>" if book.steps[at - 1].no_return else "-->"
            lines.append(f"  s{at - 1} {line} s{at}")
    for name, way in book.ways.items():
        lines.append(f'  {ways[name]}["{_plain(way.title or name)}"]')
        if way.otherwise:
            why = _plain(f"exits {', '.join(map(str, way.on))}")
            lines.append(f'  {ways[name]} -. "{why}" .-> {ways[way.otherwise]}')
    for at, step in enumerate(book.steps):
        for number, back in enumerate(ways_back(step)):
            target = ways.get(back.to)
            if target is None:
                target = f"b{at}x{number}"
                lines.append(f'  {target}>"{_plain(back.label)}"]')
                lines.append(f"  s{at} -.-> {target}")
            else:
                lines.append(f'  s{at} -. "{_plain(back.label)}" .-> {target}')
    return "\n".join(lines) + "\n"


def _plain(text: str) -> str:
    return "".join(c if c.isalnum() or c in " .,:?()-_/" else f"#{ord(c)};" for c in text)


def svg(book: Runbook) -> str:
    """Return the picture as SVG: the steps from top to bottom, beside each how it is taken back."""
    rows, height = [], _GAP
    for at, step in enumerate(book.steps):
        rows.append(_step_of(step, height, last=at == len(book.steps) - 1))
        height += _HEIGHT + _GAP
    for way in book.ways.values():
        text = f"way {way.name}: {way.title or ' '.join(way.run)}"
        text += f"; exits {', '.join(map(str, way.on))}: {way.otherwise}" if way.otherwise else ""
        rows.append(f'<text x="{_LEFT}" y="{height + 14}">{escape(text)}</text>')
        height += _GAP
    title = escape(f"{book.id} {book.title}".strip())
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="1100" height="{height + _GAP}"'
        f' font-family="sans-serif" font-size="13">\n<title>{title}</title>\n'
        + "".join(f"{row}\n" for row in rows)
        + "</svg>\n"
    )


def _step_of(step: Step, top: int, *, last: bool) -> str:
    fill, dash = _COLOURS[step.kind], "" if step.enabled else ' stroke-dasharray="4"'
    parts = [
        f'<rect x="{_LEFT}" y="{top}" width="{_WIDTH}" height="{_HEIGHT}" rx="6"'
        f' fill={quoteattr(fill)} stroke="#444"{dash}/>',
        f'<text x="{_LEFT + 10}" y="{top + 19}">{escape(_label(step)[:52])}</text>',
        f'<text x="{_LEFT + 10}" y="{top + 37}" fill="#555">{escape(step.kind)}</text>',
    ]
    back = "; ".join(f"{one.label} {f'-> {one.to}' if one.to else ''}" for one in ways_back(step))
    if back:
        parts.append(f'<text x="{_BACK}" y="{top + 27}" fill="#733">{escape(back[:110])}</text>')
    middle, low = _LEFT + _WIDTH // 2, top + _HEIGHT
    if not last:
        colour = "#b00" if step.no_return else "#444"
        width = 4 if step.no_return else 1
        parts.append(
            f'<line x1="{middle}" y1="{low}" x2="{middle}" y2="{low + _GAP}"'
            f' stroke="{colour}" stroke-width="{width}"/>'
        )
    if step.no_return:
        text = "point of no return"
        parts.append(f'<text x="{middle + 12}" y="{low + 15}" fill="#b00">{text}</text>')
    return "\n".join(parts)
