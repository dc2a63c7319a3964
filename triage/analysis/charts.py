"""How charts write Chinese, or do without where no font can draw it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

CHINESE_FONTS = (
    "Noto Sans CJK SC", "Source Han Sans SC", "PingFang SC", "Hiragino Sans GB", "Microsoft YaHei",
    "SimHei", "WenQuanYi Zen Hei", "WenQuanYi Micro Hei", "Noto Sans CJK JP", "Noto Serif CJK SC",
    "Arial Unicode MS",
)  # fmt: skip
"""Fonts that draw Chinese, the best first."""


def chinese_fonts() -> list[str]:
    """Return the installed fonts that draw Chinese, the best first; none where there is none."""
    from matplotlib import font_manager

    installed = {font.name for font in font_manager.fontManager.ttflist}
    return [font for font in CHINESE_FONTS if font in installed]


@contextmanager
def styled() -> Iterator[None]:
    """Draw with a Chinese font if there is one; what is drawn keeps it.

    Examples
    --------
    >>> with styled():
    ...     figure, axes = pyplot.subplots()  # doctest: +SKIP
    """
    import matplotlib as mpl

    fonts = [*chinese_fonts()[:1], "DejaVu Sans"]  # the last comes with matplotlib
    parameters: Any = mpl.rcParams
    wanted = {"font.family": fonts, "axes.unicode_minus": False}
    # not rc_context: it would take back what the first figure of a notebook switches on
    before = {name: parameters[name] for name in wanted}
    parameters.update(wanted)
    try:
        yield
    finally:
        parameters.update(before)


def readable(names: Sequence[str], ids: Sequence[str] | None = None) -> list[str]:
    """Return what an axis can say of labels.

    Parameters
    ----------
    names : sequence of str
        What they are called.
    ids : sequence of str, optional
        What they are known by; the names if absent.

    Returns
    -------
    list of str
        The names; without a Chinese font the ids where they are Latin, else numbers from 1 in the
        order of the table that the chart comes with.
    """
    ids = ids or names
    for shown in (names, ids):
        if chinese_fonts() or all(label.isascii() for label in shown):
            return list(shown)
    return [str(number) for number in range(1, len(names) + 1)]
