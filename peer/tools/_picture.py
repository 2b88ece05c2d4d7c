"""Draws recordings: each peer's lanes above one another, on one time axis. Pure: from entries to a text.

The picture is an SVG element that needs nothing else: no scripts, no fonts, nothing from anywhere. It is light or dark
as its reader likes. What a lane shows says _lanes.py; where it goes, _axis.py.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping, Sequence
from html import escape
from itertools import chain

from ._axis import CUT, Axis, rows
from ._entries import Entry, ordered
from ._lanes import Item, lanes
from ._text import as_text

_PLOT, _LEFT, _MARGIN = 760, 110, 16  # width of the axis without cuts; room for the lanes' names; around all
_TAIL = 84  # how far states that last are drawn beyond the end
_LETTER, _ROW, _BAR = 6.7, 15, 18  # width of a letter; height of a row of labels, and of a state

_CIRCLE = "M-4.5,0a4.5,4.5 0 1,0 9,0a4.5,4.5 0 1,0 -9,0z"
_SHAPES = {  # of marks, in the order of the legend
    "host": _CIRCLE,
    "srflx": _CIRCLE,
    "prflx": _CIRCLE,
    "relay": _CIRCLE,
    "end": "M-4,-5h8v10h-8z",
    "null": "M0,-6l5,6l-5,6l-5,-6z",
    "error": "M-5,-3l2,-2l3,3l3,-3l2,2l-3,3l3,3l-2,2l-3,-3l-3,3l-2,-2l3,-3z",
    "note": "M-4,-5l8,5l-8,5z",
}
_LEGEND = {"end": 'marker ""', "note": "event"}

_STYLE = """
.timeline { --paper: #fff; --ink: #1c2128; --faint: #6a737d; --line: #dfe3e8; --band: #f5f6f8; --host: #1f6feb;
  --srflx: #1a7f37; --prflx: #b35900; --relay: #8250df; --error: #cf222e; --other: #57606a; --good: #c5e8cf;
  --busy: #f7e2a5; --bad: #f7c4c2; --idle: #e3e6ea; color-scheme: light dark; }
@media (prefers-color-scheme: dark) { .timeline { --paper: #14171c; --ink: #e3e8ee; --faint: #959da7; --line: #30363d;
  --band: #1c2026; --host: #66a8ff; --srflx: #56d364; --prflx: #f0a04b; --relay: #c297ff; --error: #ff7b72;
  --other: #aab2bc; --good: #1d4d2b; --busy: #5e4a10; --bad: #6b2526; --idle: #353b44; } }
.timeline text { font: 11px ui-monospace, Menlo, Consolas, monospace; fill: var(--ink); white-space: pre; }
.timeline .paper { fill: var(--paper); } .timeline .band { fill: var(--band); }
.timeline .name { font: 600 13px system-ui, sans-serif; }
.timeline .lane { font: 12px system-ui, sans-serif; fill: var(--faint); text-anchor: end; }
.timeline .tick, .timeline .begin { fill: var(--faint); } .timeline .tick { text-anchor: middle; }
.timeline .grid { stroke: var(--line); } .timeline .lead { stroke: var(--faint); stroke-width: .6; }
.timeline .gap { fill: var(--line); opacity: .55; }
.timeline .good { fill: var(--good); } .timeline .busy { fill: var(--busy); }
.timeline .bad { fill: var(--bad); } .timeline .idle { fill: var(--idle); }
.timeline .host { fill: var(--host); } .timeline .srflx { fill: var(--srflx); }
.timeline .prflx { fill: var(--prflx); } .timeline .relay { fill: var(--relay); }
.timeline .error { fill: var(--error); }
.timeline .end, .timeline .null, .timeline .note { fill: var(--other); }
"""


def as_svg(recording: Iterable[Entry]) -> str:
    """Draw what :func:`record` has recorded, of one or several peers: an ``<svg>`` element, as text.

    It can be a file of its own, or a part of a page. Marks and states have tooltips that tell all about them. Times are
    shown from the first entry on, and long silences are cut out.
    """
    peers = lanes(recording)
    items = list(chain.from_iterable(chain.from_iterable(found.values()) for found in peers.values()))
    if not items:
        return _svg(400, 40, [_text(_MARGIN, 25, "", "Nothing was recorded.")])
    drawing = _Drawing(Axis([item.start for item in items], _PLOT))
    drawing.legend({item.kind for item in items if item.end is None})
    for peer, found in peers.items():
        drawing.peer(peer, found)
    return drawing.finished(_name(peers))


def as_html(recording: Iterable[Entry]) -> str:
    """An HTML page that shows a recording: what :func:`as_svg` draws, and below it what :func:`as_text` says."""
    entries = ordered(recording)
    name = _escaped(_name(dict.fromkeys(entry["peer"] for entry in entries)))
    return f"""<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<title>{name}</title>
<style>
body {{ font: 14px/1.5 system-ui, sans-serif; margin: 1rem; color-scheme: light dark; background: #fff;
  color: #1c2128; }}
@media (prefers-color-scheme: dark) {{ body {{ background: #14171c; color: #e3e8ee; }} }}
figure {{ margin: 0; overflow-x: auto; }}
pre {{ font: 12px/1.6 ui-monospace, monospace; }}
</style>
<h1>{name}</h1>
<figure>
{as_svg(entries)}
</figure>
<details>
<summary>All {len(entries)} entries</summary>
<pre>{_escaped(as_text(entries))}</pre>
</details>
</html>
"""


class _Drawing:
    """A picture that grows downwards."""

    def __init__(self, axis: Axis) -> None:
        self._axis = axis
        self._below: list[str] = []  # what is drawn first: bands; grows
        self._parts: list[str] = []  # what is drawn on top of it; grows
        self._y = float(_MARGIN)  # where the next thing goes; grows
        self._right = _LEFT + axis.width + _TAIL  # of what was drawn so far; grows

    def legend(self, kinds: set[str]) -> None:
        """Explain the marks of these *kinds*."""
        x = float(_LEFT)
        for kind in (kind for kind in _SHAPES if kind in kinds):
            words = _LEGEND.get(kind, kind)
            self._parts += [_mark(kind, x, self._y), _text(x + 9, self._y + 4, "", words)]
            x += 30 + _LETTER * len(words)
        self._right = max(self._right, x)
        self._y += 12

    def peer(self, name: str, found: Mapping[str, Sequence[Item]]) -> None:
        """Draw the lanes of a peer, with the axis above them."""
        self._parts.append(_text(_MARGIN, self._y + 22, "name", name))
        top = self._y = self._y + 28
        lines = []
        for number, (lane, items) in enumerate(found.items()):
            above = self._y
            self._lane(lane, items)
            if number % 2 == 0:
                lines.append(f'<rect class="band" x="0" width="100%" y="{above:g}" height="{self._y - above:g}"/>')
        self._below += lines + self._grid(top)

    def _grid(self, top: float) -> list[str]:
        """The lines of the axis from *top* on, and what is written at them."""
        found = []
        begins = {part.x for part in self._axis.parts[1:]}
        for x, silence in self._axis.cuts():
            left = x + _LEFT + 4
            found.append(f'<rect class="gap" x="{left:.1f}" width="{CUT - 8}" y="{top:g}" height="{self._y - top:g}"/>')
            found.append(_text(x + _LEFT + CUT / 2, top - 6, "tick", _duration(silence)))
        for x, time in self._axis.ticks():
            found.append(f'<path class="grid" d="M{x + _LEFT:.1f},{top:g}V{self._y:g}"/>')
            words = f"{round(time, 3):.10g}" if time else "0 ms"
            found.append(_text(x + _LEFT, top - 6, "begin" if x in begins else "tick", words))
        return found

    def _lane(self, name: str, items: Sequence[Item]) -> None:
        states = [item for item in items if item.end is not None]
        flags = [item for item in items if item.end is None or not self._fits(item)]
        places = [(self._x(item.start) - 6, self._x(item.start) + 16 + _LETTER * len(item.label)) for item in flags]
        levels = rows(places)
        self._right = max([self._right, *(end for _, end in places)])
        ground = self._y + 4 + _ROW * (max(levels, default=-1) + 1)  # where flags stand; states are below
        below = _BAR if states or not items else 4
        middle = (ground + below / 2 if states or not items else (self._y + ground) / 2) + 4
        self._parts.append(_text(_LEFT - 14, middle, "lane", name))
        self._parts += [self._state(item, ground) for item in states]
        for item, level in zip(flags, levels, strict=True):
            x, y = self._x(item.start), ground - _ROW * (level + 0.5)
            self._parts.append(f'<path class="lead" d="M{x:.1f},{y:.1f}V{ground + 3:.1f}"/>')
            self._parts.append(_flag(item, x, y))
        self._y = ground + below + 6

    def _state(self, item: Item, y: float) -> str:
        """A state, as a bar with its label in it if there is room."""
        x, width = self._x(item.start), self._width(item)
        bar = f'<rect class="{item.kind}" x="{x:.1f}" y="{y:.1f}" width="{max(width, 2):.1f}" height="{_BAR}" rx="3"/>'
        label = _text(x + 5, y + _BAR / 2 + 4, "", item.label) if self._fits(item) else ""
        return f"<g><title>{_escaped(item.title)}</title>{bar}{label}</g>"

    def _fits(self, item: Item) -> bool:
        return self._width(item) >= 10 + _LETTER * len(item.label)

    def _width(self, item: Item) -> float:
        end = self._axis.width + _TAIL if item.end in (None, math.inf) else self._axis.x(item.end)
        return _LEFT + end - self._x(item.start)

    def _x(self, time: float) -> float:
        return _LEFT + self._axis.x(time)

    def finished(self, name: str) -> str:
        """The picture."""
        parts = [f"<title>{_escaped(name)}</title>", *self._below, *self._parts]
        return _svg(self._right + _MARGIN, self._y + _MARGIN, parts)


def _svg(width: float, height: float, parts: Sequence[str]) -> str:
    size = f'width="{width:.0f}" height="{height:.0f}" viewBox="0 0 {width:.0f} {height:.0f}"'
    paper = '<rect class="paper" width="100%" height="100%"/>'
    inside = "\n".join([f"<style>{_STYLE}</style>", paper, *parts])
    return f'<svg xmlns="http://www.w3.org/2000/svg" class="timeline" role="img" {size}>\n{inside}\n</svg>'


def _escaped(text: str) -> str:
    """*text* as XML has it, which does not have all characters."""
    return escape(re.sub("[^\t\n\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]", "\ufffd", text))


def _text(x: float, y: float, style: str, words: str) -> str:
    return f'<text class="{style}" x="{x:.1f}" y="{y:.1f}">{_escaped(words)}</text>'


def _mark(kind: str, x: float, y: float) -> str:
    return f'<path class="{kind}" transform="translate({x:.1f},{y:.1f})" d="{_SHAPES[kind]}"/>'


def _flag(item: Item, x: float, y: float) -> str:
    """A mark, or a state that has no room for its label, and what it is."""
    is_mark = item.end is None
    shape = _mark(item.kind, x, y) if is_mark else ""
    words = _text(x + (9 if is_mark else 3), y + 4, "", item.label)
    return f"<g><title>{_escaped(item.title)}</title>{shape}{words}</g>"


def _duration(ms: float) -> str:
    return f"{ms:.0f} ms" if ms < 1000 else f"{ms / 1000:.1f} s"


def _name(peers: Iterable[str]) -> str:
    return f"Time line of {' and '.join(peers)}"
