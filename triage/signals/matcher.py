"""One pass over a text for all signals.

An Aho–Corasick automaton over the normalised text finds every phrase and every literal part of a
pattern; only patterns whose part stands there are tried.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache, cached_property
from pathlib import Path

import ahocorasick_rs

from triage.schema import Certainty
from triage.settings import read_config
from triage.signals.definitions import Mention, SignalFile, anchors, phrase_to_regex, rarest
from triage.signals.guards import Guards

SHIPPED_SIGNALS = Path(__file__).parents[1] / "signals.yaml"

MOST_MENTIONS = 20
"""Mentions of one signal that are looked at: a text of nothing but 受伤 must not hold a worker."""


@dataclass(frozen=True, eq=False)
class _Entry:
    """One phrase or pattern of one signal; a neutral one has no certainty.

    Where it matches, one at least of its `anchors` stands, given by their numbers. `nth` is its
    place in the file.
    """

    nth: int
    signal: str
    certainty: Certainty | None
    phrase: str
    anchors: tuple[int, ...]

    @cached_property
    def pattern(self) -> re.Pattern[str]:
        """The phrase as a pattern, compiled when first needed: all 500 take 0.3 s."""
        return re.compile(phrase_to_regex(self.phrase))


class SignalMatcher:
    """Finds the signals of a normalised text.

    Parameters
    ----------
    definitions : SignalFile
        Phrases and guards, as read by `load_signals`.
    digest : str
        SHA-256 of the file they came from.
    """

    def __init__(self, definitions: SignalFile, digest: str) -> None:
        self.definitions = definitions
        self.digest = digest
        self._plain: dict[int, list[_Entry]] = {}
        self._patterns: dict[int, list[_Entry]] = {}
        self._guards = Guards(definitions.cues)
        literals: dict[str, int] = {}

        def numbers(texts: tuple[str, ...]) -> tuple[int, ...]:
            return tuple(literals.setdefault(text, len(literals)) for text in texts)

        for nth, (signal, certainty, phrase) in enumerate(_phrases(definitions)):
            texts = anchors(phrase)
            entry = _Entry(nth, signal, certainty, phrase, numbers(texts))
            if texts == (phrase,):
                self._plain.setdefault(entry.anchors[0], []).append(entry)
                continue
            for at in numbers(rarest(phrase)):
                self._patterns.setdefault(at, []).append(entry)
        self._automaton = ahocorasick_rs.AhoCorasick(list(literals))

    def find(self, text: str, channel: str | None = None) -> list[Mention]:
        """Find all mentions, guarded ones too.

        Parameters
        ----------
        text : str
            The normalised text.
        channel : str, optional
            Where the complaint came in; its own name is no signal.

        Returns
        -------
        list of Mention
            In the order of their place; of overlapping ones of a signal the longest.
        """
        hits, neutral = self._hits(text)
        mentions: list[Mention] = []
        for signal, places in hits.items():
            definition = self.definitions.signals[signal]
            for start, end, certainty in _longest(places):
                inside = any(a <= start and end <= b for a, b in neutral.get(signal, ()))
                mention = (
                    Mention(signal, certainty, start, end, "neutral")
                    if inside
                    else self._guards.judge(
                        text, definition, signal, start, end, certainty, channel
                    )
                )
                mentions.append(_with_neighbour(mention, mentions))
        return sorted(mentions, key=lambda mention: (mention.start, mention.end, mention.name))

    def _hits(
        self, text: str
    ) -> tuple[dict[str, list[tuple[int, int, Certainty]]], dict[str, list[tuple[int, int]]]]:
        """Return the places of phrases by signal, and those of neutral phrases."""
        hits: dict[str, list[tuple[int, int, Certainty]]] = {}
        neutral: dict[str, list[tuple[int, int]]] = {}
        found: list[tuple[int, int, _Entry, list[tuple[int, int]]]] = []
        first: dict[int, int] = {}
        tried: list[_Entry] = []
        matches = self._automaton.find_matches_as_indexes(text, overlapping=True)
        for place, (at, start, end) in enumerate(matches):
            if at not in first:
                first[at] = place
                if at in self._patterns:
                    tried += self._patterns[at]
            if at in self._plain and not _inside_number(text, start, end):
                found += [(place, entry.nth, entry, [(start, end)]) for entry in self._plain[at]]
        absent = first.keys().isdisjoint
        for entry in dict.fromkeys(tried):
            if not absent(entry.anchors) and (
                spans := [match.span() for match in entry.pattern.finditer(text)]
            ):
                place = min(first[at] for at in entry.anchors if at in first)
                found.append((place, entry.nth, entry, spans))
        for _, _, entry, spans in sorted(found):
            _collect(entry, spans, hits, neutral)
        return hits, neutral


def _phrases(definitions: SignalFile) -> Iterator[tuple[str, Certainty | None, str]]:
    """Yield signal, certainty and phrase of all that is defined, in its order."""
    certainties: tuple[Certainty | None, ...] = ("happened", "hazard", "threatened", None)
    for signal, definition in definitions.signals.items():
        for certainty in certainties:
            for phrase in getattr(definition, certainty or "neutral"):
                yield signal, certainty, phrase


def _with_neighbour(mention: Mention, before: list[Mention]) -> Mention:
    """Carry a negation over to the next item of a list: 没有老人小孩."""
    last = before[-1] if before else None
    if (
        last is not None
        and (last.name, last.guard) == (mention.name, "negation")
        and mention.guard is None
        and mention.start - last.end <= 1
    ):
        return mention._replace(guard="negation")
    return mention


def _inside_number(text: str, start: int, end: int) -> bool:
    """Tell whether digits go on before or after a number, as 12315 in an order number."""
    before, after = text[start - 1 : start], text[end : end + 1]
    return (text[start].isdigit() and before.isdigit()) or (
        text[end - 1].isdigit() and after.isdigit()
    )


def _collect(
    entry: _Entry,
    spans: list[tuple[int, int]],
    hits: dict[str, list[tuple[int, int, Certainty]]],
    neutral: dict[str, list[tuple[int, int]]],
) -> None:
    """Put spans under the entry's signal, or among its neutral places."""
    if entry.certainty is None:
        neutral.setdefault(entry.signal, []).extend(spans)
    else:
        certainty = entry.certainty
        hits.setdefault(entry.signal, []).extend((a, b, certainty) for a, b in spans)


def _longest(places: list[tuple[int, int, Certainty]]) -> list[tuple[int, int, Certainty]]:
    """Of overlapping places keep the longest, the first of equal ones; not more than the cap."""
    kept: list[tuple[int, int, Certainty]] = []
    for place in sorted(places, key=lambda place: (place[0], -place[1])):
        if not kept or kept[-1][1] <= place[0]:
            kept.append(place)
        elif place[1] - place[0] > kept[-1][1] - kept[-1][0]:
            kept[-1] = place
    return kept[:MOST_MENTIONS]


def load_signals(path: Path | None = None) -> SignalMatcher:
    """Read a signals file; the shipped one if none is named.

    Raises
    ------
    ConfigError
        If the file is missing or breaks its rules; the message names field and value.
    """
    definitions, digest = read_config(path or SHIPPED_SIGNALS, SignalFile)
    return SignalMatcher(definitions, digest)


@cache
def shipped_signals() -> SignalMatcher:
    """Return the matcher of the shipped `signals.yaml`, built once."""
    return load_signals()
