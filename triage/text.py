"""Normalise a text with its offsets kept, and cut it into words.

Every later room reads the normalised text: NFKC, traditional characters simplified with OpenCC's
data, letters lower-cased, zero-width and control characters gone, spaces between Han characters
gone, repeated marks shortened. `Normalised` maps each position back to the text as sent.
"""

from __future__ import annotations

import io
import logging
import re
import unicodedata
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import cache, lru_cache
from importlib import metadata
from operator import eq
from typing import Any

import opencc

from triage.schema import ArtifactError, DataError, Span

_SHORT = 2_000
"""Characters up to which a normalised text is remembered for a moment."""

LONGEST_RUN = {"mark": 2, "letter": 3}
"""How many of the same mark or letter in a row are kept."""

_QUOTES = {**dict.fromkeys("“”„‟〝〞「」『』", '"'), **dict.fromkeys("‘’‚‛", "'")}

_COMBINING = re.compile(
    "[\u0300-\u036f\u0483-\u0489\u0591-\u05bd\u064b-\u065f\u0900-\u0903\u0e31-\u0e3a"
    "\u1100-\u11ff\u1ab0-\u1aff\u1dc0-\u1dff\u20d0-\u20ff\u302a-\u302f\u3099\u309a\ufe20-\ufe2f]"
)
_REPEATED = re.compile(r"([^\w\s])\1{2,}|([^\W\d_])\2{3,}")
_GAP = re.compile(r" +")
_BLANK = re.compile(r"\s")


@dataclass(frozen=True, slots=True)
class Normalised:
    """A normalised text and where each of its characters stood.

    Attributes
    ----------
    text : str
        The normalised text.
    starts, ends : sequence of int
        For each character of `text`, the half-open span of characters it came from.
    source_length : int
        Number of characters of the text as sent.
    """

    text: str
    starts: Sequence[int]
    ends: Sequence[int]
    source_length: int

    def original(self, start: int, end: int) -> Span:
        """Map the normalised span `[start, end)` to offsets in the text as sent."""
        if end <= start:
            at = self.starts[start] if start < len(self.starts) else self.source_length
            return Span(at, at)
        return Span(self.starts[start], self.ends[end - 1])

    def without(self, cuts: Iterable[tuple[int, int]]) -> Normalised:
        """Return the text with the given half-open spans of it taken out."""
        keep = bytearray(b"\x01") * len(self.text)
        for start, end in cuts:
            keep[start:end] = bytes(end - start)
        kept_at = [i for i, flag in enumerate(keep) if flag]
        return Normalised(
            "".join([self.text[i] for i in kept_at]),
            [self.starts[i] for i in kept_at],
            [self.ends[i] for i in kept_at],
            self.source_length,
        )


class _CharacterMap(dict[str, str]):
    """What one character becomes, worked out once per character."""

    def __missing__(self, char: str) -> str:
        composed = _QUOTES.get(char) or unicodedata.normalize("NFKC", char)
        simple = _simplifier().convert(composed) if not composed.isascii() else composed
        lowered = simple.lower()
        kept = "".join(_keep(c) for c in (lowered if len(lowered) == len(simple) else simple))
        self[char] = kept
        if kept != char and _is_common_han(char):
            _TRADITIONAL.add(char)
        return kept


def _keep(char: str) -> str:
    """Return a character, a plain space for any blank, or nothing where it can't be seen."""
    if char in "\n\r\u2028\u2029\x85":
        return "\n"
    if char.isspace():
        return " "
    category = unicodedata.category(char)
    invisible = category in ("Cc", "Cf", "Co", "Cn") or "\ufe00" <= char <= "\ufe0f"
    return "" if invisible else char


@cache
def _simplifier() -> Any:
    return opencc.OpenCC("t2s")


_CHARACTERS = _CharacterMap()

_TRADITIONAL: set[str] = set()
"""The characters met so far that have a simplified form."""


def _is_common_han(char: str) -> bool:
    return "\u4e00" <= char <= "\u9fff"


def normalise(text: str) -> Normalised:
    """Normalise a text and keep the way back.

    Parameters
    ----------
    text : str
        The text as sent, of any length.

    Returns
    -------
    Normalised
        May be empty where nothing visible was sent.

    Examples
    --------
    >>> found = normalise("電 視　壞了！！！！")
    >>> found.text
    '电视坏了!!'
    >>> found.original(0, 2)
    Span(start=0, end=3)
    """
    return _remembered(text) if len(text) <= _SHORT else _normalised(text)


def _normalised(text: str) -> Normalised:
    pieces, widths = _pieces(text)
    mapped = list(map(_CHARACTERS.__getitem__, pieces)) if widths is None else [
        "".join(map(_CHARACTERS.__getitem__, unicodedata.normalize("NFKC", piece)))
        for piece in pieces
    ]  # fmt: skip
    joined = "".join(mapped)
    simple = _by_phrase(text, joined) if widths is None else joined
    if widths is None and len(joined) == len(text) and all(mapped):
        starts: Sequence[int] = range(len(text))
        ends: Sequence[int] = range(1, len(text) + 1)
    else:
        starts, ends = _spread(mapped, widths)
    return _shorten(simple, starts, ends, len(text))


_remembered = lru_cache(128)(_normalised)
"""For those who ask for the same short text twice: what reads a ticket, and what names it."""


def _pieces(text: str) -> tuple[Sequence[str], list[int] | None]:
    """Cut a text into characters, or into bases with their combining marks and the widths."""
    if text.isascii() or not _COMBINING.search(text):
        return text, None
    pieces: list[str] = []
    for char in text:
        if pieces and (_COMBINING.match(char) or unicodedata.combining(char)):
            pieces[-1] += char
        else:
            pieces.append(char)
    return pieces, [len(piece) for piece in pieces]


def _by_phrase(text: str, joined: str) -> str:
    """Prefer OpenCC's phrase table (乾隆 keeps its 乾) where it agrees in length."""
    if len(joined) != len(text) or _TRADITIONAL.isdisjoint(text):
        return joined
    phrased: str = _simplifier().convert(text)
    if len(phrased) != len(joined):
        return joined
    return "".join(
        p if p == t and _is_common_han(p) else j
        for p, t, j in zip(phrased, text, joined, strict=True)
    )


def _spread(mapped: Sequence[str], widths: list[int] | None) -> tuple[list[int], list[int]]:
    """Return where each mapped character came from, for pieces of the given widths."""
    starts: list[int] = []
    ends: list[int] = []
    at = 0
    for index, piece in enumerate(mapped):
        width = 1 if widths is None else widths[index]
        starts.extend([at] * len(piece))
        ends.extend([at + width] * len(piece))
        at += width
    return starts, ends


def _shorten(
    text: str, starts: Sequence[int], ends: Sequence[int], source_length: int
) -> Normalised:
    """Drop needless spaces, then the tails of repeated marks, until nothing changes."""
    found = Normalised(text, starts, ends, source_length)
    while cuts := _needless_spaces(found.text) or _repeats(found.text):
        found = found.without(cuts)
    return found


def _needless_spaces(text: str) -> list[tuple[int, int]]:
    """Find blanks at both ends, between Han characters, and beyond the first of a run."""
    cuts: list[tuple[int, int]] = []
    left, right = len(text) - len(text.lstrip()), len(text.rstrip())
    if left:
        cuts.append((0, left))
    if left <= right < len(text):
        cuts.append((right, len(text)))
    if " " in text:
        for gap in _GAP.finditer(text):
            start, end = gap.span()
            cuts.append((start, end) if _both_han(text, start, end) else (start + 1, end))
    return [(start, end) for start, end in cuts if start < end]


def _repeats(text: str) -> list[tuple[int, int]]:
    """Find the tails of runs of the same mark or letter."""
    if b"\1\1" not in bytes(map(eq, text, text[1:])):
        return []
    return [
        (run.start() + LONGEST_RUN["mark" if run.group(1) else "letter"], run.end())
        for run in _REPEATED.finditer(text)
    ]


def _both_han(text: str, start: int, end: int) -> bool:
    """Tell whether the gap `[start, end)` stands between two Han characters."""
    return (
        0 < start
        and end < len(text)
        and "\u3400" <= text[start - 1] <= "\u9fff"
        and "\u3400" <= text[end] <= "\u9fff"
    )


class Segmenter:
    """Cuts normalised text into words; pinned in a model by name, version and user words.

    rjieba (jieba-rs) is preferred: 9–15 times as fast as jieba at token F1 0.9989. jieba serves
    where no rjieba wheel exists. A model is scored with the segmenter that it was trained with.

    Parameters
    ----------
    name : {"rjieba", "jieba"}, optional
        The library to cut with; the faster one that is installed if absent.
    user_words : sequence of (word, frequency or None, tag or None), optional
        A company's own dictionary; see `read_user_words`.

    Raises
    ------
    ArtifactError
        If the named library is not installed.
    """

    def __init__(
        self,
        name: str | None = None,
        user_words: Sequence[tuple[str, int | None, str | None]] = (),
    ) -> None:
        self.name = name or installed_segmenter()
        self.user_words = [tuple(entry) for entry in user_words]
        self.version = _segmenter_version(self.name)
        self._cut: Callable[[str], list[str]] = _build_cut(self.name, self.user_words)

    def cut(self, text: str) -> list[str]:
        """Cut a text into words; joined again they give the text."""
        return self._cut(text)

    def __getstate__(self) -> dict[str, Any]:
        return {"name": self.name, "version": self.version, "user_words": self.user_words}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        found = _segmenter_version(self.name)
        if found != self.version:
            raise ArtifactError(
                f"The model was trained with {self.name} {self.version}, but {found} is "
                f"installed: run `pip install {self.name}=={self.version}`, or train again.",
                code="segmenter_mismatch",
            )
        self._cut = _build_cut(self.name, self.user_words)


def dictionary_words() -> dict[str, int]:
    """Return the words of jieba's dictionary with how often each occurs."""
    import jieba

    with jieba.Tokenizer().get_dict_file() as file:
        lines = [line.split() for line in file.read().decode().splitlines()]
    return {line[0]: int(line[1]) for line in lines}


def installed_segmenter() -> str:
    """Return the name of the fastest installed segmenter."""
    try:
        metadata.version("rjieba")
    except metadata.PackageNotFoundError:
        return "jieba"
    return "rjieba"


def _segmenter_version(name: str) -> str:
    if name not in ("rjieba", "jieba"):
        raise ArtifactError(f"Segmenter {name!r} is unknown: it must be 'rjieba' or 'jieba'.")
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError as error:
        raise ArtifactError(
            f"The model needs the segmenter {name}, which is not installed: run "
            f"`pip install {name}`, or train again to use another.",
            code="segmenter_mismatch",
        ) from error


def _build_cut(name: str, user_words: Iterable[Sequence[Any]]) -> Callable[[str], list[str]]:
    """Return a cutting function: the library's own, or one of the user's words too."""
    user_words = list(user_words)
    if name == "rjieba":
        import rjieba

        # its own tokenizer stands since the import: a second one is 24 MB and 0.1 s
        fast = rjieba.Jieba() if user_words else rjieba
        for word, frequency, tag in user_words:
            fast.add_word(word, frequency or fast.suggest_freq(word), tag)
        return lambda text: fast.cut(text, True)
    import jieba

    jieba.setLogLevel(logging.WARNING)
    slow = jieba.Tokenizer()
    for word, frequency, tag in user_words:
        slow.add_word(word, frequency, tag)
    cut: Callable[[str], list[str]] = slow.lcut
    return cut


def read_user_words(content: str) -> list[tuple[str, int | None, str | None]]:
    """Read a company's dictionary in jieba's format: `word [frequency] [tag]` a line.

    Words are normalised as texts are. Blank lines and lines that start with # are passed over.

    Raises
    ------
    DataError
        If a line has a frequency that is no number; the message names the line.
    """
    words: list[tuple[str, int | None, str | None]] = []
    for number, line in enumerate(io.StringIO(content.lstrip("\ufeff")), start=1):
        parts = _BLANK.split(line.strip())
        if not parts[0] or parts[0].startswith("#"):
            continue
        frequency, tag = None, None
        if len(parts) > 1 and parts[1].isdigit():
            frequency, tag = int(parts[1]), parts[2] if len(parts) > 2 else None
        elif len(parts) == 2:
            tag = parts[1]
        elif len(parts) > 2:
            raise DataError(
                f"User dictionary, line {number}: {parts[1]!r} is no frequency. Write "
                "`word frequency tag`, as in `充电宝 10 n`.",
                code="user_dictionary",
            )
        words.append((normalise(parts[0]).text, frequency, tag))
    return words
