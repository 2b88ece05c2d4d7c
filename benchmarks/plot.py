"""The picture: bars for the four sides, and how many times ours theirs are."""

from __future__ import annotations

from pathlib import Path
from statistics import quantiles
from typing import Any

from matplotlib.figure import Figure

from .report import rows
from .samples import FULL, SIDES, Samples

PANELS = ("open", "first", "restart")
COLOURS = {"peer": "#d95f02", "aiortc": "#7570b3", "chromium": "#5b8fb9", "firefox": "#66a182"}


def draw(samples: Samples, machine: str, path: Path) -> None:
    """Write the picture to *path*."""
    titles = {row.key: row.title for row in rows(FULL)}
    figure = Figure(figsize=(9, 6.4), dpi=150, layout="constrained")
    for panel, key in zip(figure.subplots(len(PANELS), 1), PANELS, strict=True):
        _draw_panel(panel, samples.get(key, {}))
        panel.set_title(f"{titles[key]}, ms", loc="left", fontsize=11, fontweight="bold")
    figure.suptitle("aiortc-peer, raw aiortc and browsers: medians, with the middle half of the samples", fontsize=12)
    figure.supxlabel(machine, fontsize=8, color="#555555")
    figure.savefig(path)


def _draw_panel(panel: Any, samples: dict[str, list[float]]) -> None:
    # Each sample twice, as one alone has no quartiles.
    quartiles = {side: quantiles(values * 2, n=4) for side, values in samples.items()}
    longest = max((high for _, _, high in quartiles.values()), default=1.0)
    for place, side in enumerate(SIDES):
        if side not in quartiles:
            panel.text(0, place, " -", va="center", fontsize=9, color="#777777")
            continue
        low, value, high = quartiles[side]
        panel.barh(place, value, height=0.7, color=COLOURS[side])
        panel.errorbar(value, place, xerr=[[value - low], [high - value]], color="#333333", capsize=2.5)
        times = f"   ({value / quartiles['peer'][1]:.1f}x ours)" if side != "peer" else ""
        panel.text(high + longest * 0.012, place, f"{value:.1f}{times}", va="center", fontsize=9)
    panel.set_yticks(range(len(SIDES)), list(SIDES.values()), fontsize=10)
    panel.invert_yaxis()
    panel.set_xlim(0, longest * 1.3)
    panel.spines[["top", "right"]].set_visible(False)
    panel.tick_params(axis="x", labelsize=8)
