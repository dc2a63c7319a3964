"""Plots as inline SVG that takes the page's colours and fonts, light and dark.

Matplotlib draws in the colours of `COLOURS`; in the SVG they become the page's CSS variables. Words
stay text, so that they are crisp, can be searched and need no font here. Plots are drawn 360 wide
and are readable on a phone of 400 pixels.
"""

from __future__ import annotations

import io
import re
import warnings
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from markupsafe import Markup
from numpy.typing import NDArray

if TYPE_CHECKING:
    from matplotlib.axes import Axes

Floats = NDArray[np.float64]

INK, MUTED, LINE, ACCENT, GOOD, BAD, WARN, REST = (
    "#1b1e25", "#646b79", "#e4e6eb", "#4453c9", "#2f7a55", "#b4232c", "#976200", "#aab0bc",
)  # fmt: skip
SERIES = ("#4a5bd0", "#1f9e8f", "#e0a419", "#d9622f", "#8f5fd1", "#5aa7e0")
"""Colours of the largest classes; what is left is drawn in `REST`."""

STEPS = ("#8fbfa6", "#e6b450", "#e07b43", "#b8324f")
"""Colours of the steps of ordered heads."""

COLOURS: Mapping[str, str] = {
    INK: "text", MUTED: "muted", LINE: "line", ACCENT: "accent", GOOD: "good", BAD: "bad",
    WARN: "warn", REST: "rest", **{colour: f"series-{at}" for at, colour in enumerate(SERIES)},
    **{colour: f"step-{at}" for at, colour in enumerate(STEPS)},
}  # fmt: skip

WIDTH = 360
_BINS = 10
_FAINT = 10
"""A bin of the calibration with fewer rows is drawn faintly and not joined to the others."""

_RC: Any = {"svg.fonttype": "none", "svg.hashsalt": "triage", "font.size": 11.0}


def draw(
    name: str, words: str, paint: Callable[[Axes], None], height: int, *, named: bool = True
) -> Markup:
    """Draw one plot.

    Parameters
    ----------
    name : str
        Put before the ids in the SVG, which must differ within a page.
    words : str
        What the plot shows, for who can't see it.
    paint : callable
        Draws into the axes.
    height : int
        In CSS pixels, of a width of 360.
    named : bool
        Whether room is kept for what the axes measure.
    """
    import matplotlib
    from matplotlib.figure import Figure  # half a second, which only a page takes

    with matplotlib.rc_context(_RC), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # Han characters have no glyph in the font that measures
        figure = Figure(figsize=(WIDTH / 72, height / 72), dpi=72)
        above, below = (26, 46) if named else (10, 26)
        figure.subplots_adjust(
            left=0.125, right=0.975, top=1 - above / height, bottom=below / height
        )
        axes = figure.add_subplot()
        _plain(axes)
        paint(axes)
        written = io.StringIO()
        figure.savefig(written, format="svg", metadata={"Date": None, "Creator": None})
    return _inline(written.getvalue(), name, words)


def _plain(axes: Axes) -> None:
    axes.set_facecolor("none")
    axes.figure.set_facecolor("none")
    axes.spines[["top", "right", "left"]].set_visible(False)
    axes.spines["bottom"].set_color(LINE)
    axes.tick_params(length=0, labelcolor=MUTED, labelsize=11, pad=7)
    axes.grid(axis="y", color=LINE, linewidth=1)
    axes.set_axisbelow(True)


def _named(axes: Axes, across: str, up: str) -> None:
    """Write what the axes measure: horizontally, since rotated Han characters read badly."""
    places = ((across, (1, 0), (0, -24), "right", "top"), (up, (0, 1), (0, 9), "left", "bottom"))
    for words, corner, offset, side, edge in places:
        axes.annotate(words, corner, offset, "axes fraction", "offset points", ha=side, va=edge,
                      color=MUTED)  # fmt: skip


def _inline(svg: str, name: str, words: str) -> Markup:
    """Cut an SVG down to what a page needs, in the page's colours and fonts."""
    body = svg[svg.index("<svg") :]
    body = re.sub(r"<metadata>.*?</metadata>\s*", "", body, flags=re.DOTALL)
    body = re.sub(r"<!--.*?-->\s*", "", body, flags=re.DOTALL)
    body = re.sub(r"<defs>\s*<style.*?</defs>\s*", "", body, count=1, flags=re.DOTALL)
    body = re.sub(r"font-family: [^;\"]*", "font-family: var(--sans)", body)
    body = re.sub(r'\s*transform="rotate\(-0[^"]*"|(?<=>)\s+(?=<)', "", body)
    for colour, variable in COLOURS.items():
        body = body.replace(colour, f"var(--{variable})")
    used = set(re.findall(r"#([\w-]+)", body))
    body = re.sub(r' id="([^"]+)"', lambda m: f' id="{name}-{m[1]}"' if m[1] in used else "", body)
    body = re.sub(r'(url\(|href=")#', rf"\1#{name}-", body)
    box = re.search(r'viewBox="[^"]+"', body)
    head = Markup('<svg class="plot" role="img" aria-label="{}" {} >').format(
        words, Markup(box[0] if box else "")
    )
    return head + Markup(re.sub(r"^<svg[^>]*>", "", body))


def _percents(axes: Axes, *which: str) -> None:
    for side in which:
        axis = getattr(axes, f"{side}axis")
        axis.set_major_formatter(lambda value, _: f"{value:.0%}")


def calibration(name: str, words: str, sure: Floats, right: NDArray[np.bool_]) -> Markup:
    """Draw how often answers of each sureness are right.

    Parameters
    ----------
    name, words : str
        See `draw`.
    sure : ndarray of shape (n_rows,)
        Probability of the answer.
    right : ndarray of shape (n_rows,)
        Whether it was the true one.
    """
    place = np.minimum((sure * _BINS).astype(int), _BINS - 1)
    bins = np.unique(place)
    sizes = np.array([(place == b).sum() for b in bins])
    said = np.array([sure[place == b].mean() for b in bins])
    found = np.array([right[place == b].mean() for b in bins])
    low, high = wilson(found, sizes)

    solid = sizes >= min(_FAINT, sizes.max())

    def paint(axes: Axes) -> None:
        axes.plot([0, 1], [0, 1], color=MUTED, linestyle=(0, (4, 4)), linewidth=1)
        axes.plot(said[solid], found[solid], color=ACCENT, linewidth=2)
        area = 16 + 150 * sizes / sizes.max()
        for some, depth in ((solid, 1.0), (~solid, 0.35)):
            axes.vlines(said[some], low[some], high[some], color=ACCENT, linewidth=1.5,
                        alpha=0.4 * depth)  # fmt: skip
            axes.scatter(said[some], found[some], s=area[some], color=ACCENT, zorder=3,
                         alpha=depth, linewidths=0)  # fmt: skip
        axes.set(xlim=(0, 1.02), ylim=(0, 1.04))
        axes.set_xticks(np.linspace(0, 1, 6))
        axes.set_yticks(np.linspace(0, 1, 6))
        _percents(axes, "x", "y")
        _named(axes, "模型说的把握", "实际判对")

    return draw(name, words, paint, height=290)


def wilson(share: Floats, rows: NDArray[np.int64]) -> tuple[Floats, Floats]:
    """Return the 95 % interval of shares.

    References
    ----------
    Wilson, "Probable Inference, the Law of Succession, and Statistical Inference", 1927.
    """
    z = 1.96
    middle = (share + z**2 / (2 * rows)) / (1 + z**2 / rows)
    half = z * np.sqrt(share * (1 - share) / rows + z**2 / (4 * rows**2)) / (1 + z**2 / rows)
    return middle - half, middle + half


def coverage(
    name: str,
    words: str,
    curve: Sequence[Mapping[str, float]],
    marks: Sequence[tuple[str, float, float, str]],
) -> Markup:
    """Draw precision over coverage.

    Parameters
    ----------
    name, words : str
        See `draw`.
    curve : sequence of mapping
        `coverage`, `precision`: see `evaluate.coverage_precision`.
    marks : sequence of (str, float, float, str)
        Thresholds: what it is called, coverage and precision there, its colour.
    """
    across = [point["coverage"] for point in curve]
    up = [point["precision"] for point in curve]
    floor = max(0.0, np.floor(10 * min([*up, *(mark[2] for mark in marks)]) - 0.5) / 10)

    def paint(axes: Axes) -> None:
        axes.fill_between(across, up, floor, color=ACCENT, alpha=0.1, linewidth=0)
        axes.plot(across, up, color=ACCENT, linewidth=2)
        for title, x, y, colour in marks:
            side, above = ("right" if x > 0.55 else "left"), colour == GOOD
            axes.vlines(x, floor, y, color=colour, linewidth=1.5, linestyle=(0, (4, 3)))
            axes.scatter([x], [y], s=70, color=colour, zorder=4, linewidths=0)
            axes.annotate(f"{title} {x:.0%}", (x, y), textcoords="offset points", ha=side,
                          va="bottom", xytext=(-9 if side == "right" else 9, 5 if above else -18),
                          color=colour, fontweight="bold")  # fmt: skip
        axes.set(xlim=(0, 1.02), ylim=(floor, 1.015))
        axes.set_xticks(np.linspace(0, 1, 6))
        _percents(axes, "x", "y")
        _named(axes, "判了多少（覆盖率）", "判对多少（精确率）")

    return draw(name, words, paint, height=280)


def histograms(name: str, words: str, ours: Sequence[int], theirs: Sequence[int]) -> Markup:
    """Draw two histograms of scores from 0 to 1, side by side in each bin."""

    def paint(axes: Axes) -> None:
        at = np.arange(len(ours))
        top = max(sum(ours), 1)
        axes.bar(at - 0.21, np.array(ours) / top, width=0.4, color=ACCENT, linewidth=0)
        axes.bar(at + 0.21, np.array(theirs) / max(sum(theirs), 1), width=0.4, color=REST,
                 linewidth=0)  # fmt: skip
        axes.set_xticks([-0.5, 4.5, 9.5], ["0 负面", "0.5", "正面 1"])
        first, _, last = axes.get_xticklabels()
        first.set_horizontalalignment("left")
        last.set_horizontalalignment("right")
        _percents(axes, "y")
        axes.locator_params(axis="y", nbins=4)
        axes.set_xlim(-0.6, 9.6)

    return draw(name, words, paint, height=180, named=False)


def months(
    name: str,
    words: str,
    names: Sequence[str],
    layers: Sequence[Sequence[int]],
    colours: Sequence[str],
) -> Markup:
    """Draw the tickets of each month, stacked by class.

    Parameters
    ----------
    name, words : str
        See `draw`.
    names : sequence of str of length n_months
    layers : sequence of n_classes rows of n_months numbers
    colours : sequence of str of length n_classes
    """

    def paint(axes: Axes) -> None:
        at, below = np.arange(len(names)), np.zeros(len(names))
        for layer, colour in zip(layers, colours, strict=True):
            axes.bar(at, layer, width=0.78, bottom=below, color=colour, linewidth=0)
            below = below + np.array(layer)
        step = max(1, -(-len(names) // 6))
        axes.set_xticks(at[::step], names[::step])
        axes.set_xlim(-0.6, len(names) - 0.4)
        axes.locator_params(axis="y", nbins=4, integer=True)

    return draw(name, words, paint, height=200, named=False)


def lengths(name: str, words: str, sizes: Sequence[int]) -> Markup:
    """Draw how long the texts are, on a scale of doublings."""
    edges = [0, 10, 20, 40, 80, 160, 320, 640, np.inf]
    counts = np.histogram(sizes, bins=edges)[0]
    titles = [f"{int(edge)}" for edge in edges[1:-1]]

    def paint(axes: Axes) -> None:
        at = np.arange(len(counts))
        axes.bar(at, counts, width=0.86, color=ACCENT, linewidth=0)
        axes.set_xticks(at[:-1] + 0.5, titles)
        axes.set_xlim(-0.6, len(counts) - 0.4)
        axes.locator_params(axis="y", nbins=4, integer=True)
        _named(axes, "字数", "工单条数")

    return draw(name, words, paint, height=230)
