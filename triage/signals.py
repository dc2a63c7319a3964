"""Risk signals: phrases that a desk must not overlook, with guards against false alarms.

`signals.yaml` holds the phrases and the guards' words; here is how they are matched. One pass of
an Aho–Corasick automaton over the normalised text finds every phrase and every literal part of a
pattern; only patterns whose part stands there are tried. A mention is dropped where a guard holds
(negated, hypothetical, settled, staff's words, a doubt, the channel's own name, a longer neutral
word) and kept among the guarded ones for people to see.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Literal, NamedTuple

import ahocorasick_rs
from pydantic import BaseModel, ConfigDict, field_validator

from triage.schema import Certainty
from triage.settings import read_config

NAMES = ("self_harm", "injury", "food_safety", "fire_safety", "fraud", "privacy", "legal",
         "regulator", "media", "group", "repeat", "vulnerable", "churn", "violence", "outage",
         "malicious", "abuse")  # fmt: skip
"""Signal names in the order of FIELD's table; they are part of the contract."""

MOST_MENTIONS = 20
"""Mentions of one signal that are looked at: a text of nothing but 受伤 must not hold a worker."""

Guard = Literal["hypothesis", "settled", "quotation", "doubt", "own_channel"]

_GAP = r"[^,。.!?;\n]{0,6}?"
_NUMBER = r"(?:\d{1,8}|[一二两三四五六七八九十百千]{1,8})(?:几|多|余)?"
_SEVERAL = (
    r"(?:好几|很多|无数|许多|好多|多|n|几"
    r"|(?:[2-9]|\d{2,8}|[二两三四五六七八九十百千]{1,8})(?:几|多|余)?)"
)
_CLAUSE_END = re.compile(r"[,。!?;:\n~]|但|可是|不过|却|结果|反而|而且|然后|于是")
_SENTENCE_END = re.compile(r"[。!?;\n]")
_GROUP = re.compile(r"\([^()]*\)\??|[…NM]")


class SignalDefinition(BaseModel):
    """What one signal is made of; phrases stand in one string, parted by blanks."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str
    guards: frozenset[Guard] = frozenset()
    act: bool = False
    happened: tuple[str, ...] = ()
    hazard: tuple[str, ...] = ()
    threatened: tuple[str, ...] = ()
    neutral: tuple[str, ...] = ()

    @field_validator("happened", "hazard", "threatened", "neutral", mode="before")
    @classmethod
    def _split(cls, value: object) -> object:
        return tuple(value.split()) if isinstance(value, str) else value


class Cues(BaseModel):
    """The words by which each guard is known."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    negation: tuple[str, ...]
    filler: tuple[str, ...]
    brief_negation: tuple[str, ...]
    brief_filler: tuple[str, ...]
    double: tuple[str, ...]
    negated_after: tuple[str, ...]
    hypothesis: tuple[str, ...]
    question: tuple[str, ...]
    threat: tuple[str, ...]
    done: tuple[str, ...]
    settled: tuple[str, ...]
    quotation: tuple[str, ...]
    doubt: tuple[str, ...]
    own_channel: tuple[str, ...]

    @field_validator("*", mode="before")
    @classmethod
    def _split(cls, value: object) -> object:
        return tuple(value.split()) if isinstance(value, str) else value


class SignalFile(BaseModel):
    """The whole of `signals.yaml`."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    cues: Cues
    signals: dict[str, SignalDefinition]

    @field_validator("signals")
    @classmethod
    def _known_names(cls, value: dict[str, SignalDefinition]) -> dict[str, SignalDefinition]:
        if unknown := set(value) - set(NAMES):
            raise ValueError(f"unknown signals {sorted(unknown)}; known are {', '.join(NAMES)}")
        return value


class Mention(NamedTuple):
    """One place where a signal is mentioned, with its span in the normalised text.

    `guard` names what makes it count for nothing, and is None where it counts.
    """

    name: str
    certainty: Certainty
    start: int
    end: int
    guard: str | None


@dataclass(frozen=True, slots=True)
class _Entry:
    """One phrase or pattern of one signal; a neutral one has no certainty."""

    signal: str
    certainty: Certainty | None
    pattern: re.Pattern[str] | None


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
        self._entries: dict[int, list[_Entry]] = {}
        self._always: list[_Entry] = []
        self._guards = _Guards(definitions.cues)
        literals: dict[str, int] = {}
        for signal, definition in definitions.signals.items():
            for certainty in ("happened", "hazard", "threatened", None):
                for phrase in getattr(definition, certainty or "neutral"):
                    literal = longest_literal(phrase)
                    plain = literal == phrase
                    pattern = None if plain else re.compile(phrase_to_regex(phrase))
                    entry = _Entry(signal, certainty, pattern)
                    if literal:
                        at = literals.setdefault(literal, len(literals))
                        self._entries.setdefault(at, []).append(entry)
                    else:
                        self._always.append(entry)
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
                mentions.append(
                    Mention(signal, certainty, start, end, "neutral")
                    if inside
                    else self._guards.judge(
                        text, definition, signal, start, end, certainty, channel
                    )
                )
        return sorted(mentions, key=lambda mention: (mention.start, mention.end, mention.name))

    def _hits(
        self, text: str
    ) -> tuple[dict[str, list[tuple[int, int, Certainty]]], dict[str, list[tuple[int, int]]]]:
        """Return the places of phrases by signal, and those of neutral phrases."""
        hits: dict[str, list[tuple[int, int, Certainty]]] = {}
        neutral: dict[str, list[tuple[int, int]]] = {}
        tried: set[int] = set()
        for at, start, end in self._automaton.find_matches_as_indexes(text, overlapping=True):
            for entry in self._entries[at]:
                if entry.pattern is None:
                    spans = [(start, end)]
                elif id(entry) in tried:
                    continue
                else:
                    tried.add(id(entry))
                    spans = [found.span() for found in entry.pattern.finditer(text)]
                _collect(entry, spans, hits, neutral)
        for entry in self._always:
            assert entry.pattern is not None
            _collect(entry, [m.span() for m in entry.pattern.finditer(text)], hits, neutral)
        return hits, neutral


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


class _Guards:
    """Decides whether a mention counts, and how certain it is."""

    def __init__(self, cues: Cues) -> None:
        filler = _one_of(cues.filler)
        listed = r"(?:[^,。!?;\n]{1,6}[、和或及])?"
        brief = _one_of(cues.brief_filler)
        self._negation = re.compile(
            rf"{_one_of(cues.negation)}{filler}{{0,4}}{listed}$"
            rf"|{_one_of(cues.brief_negation)}{brief}{{0,3}}{listed}$"
        )
        self._double = re.compile(_one_of(cues.double))
        self._negated_after = re.compile(_one_of(cues.negated_after))
        self._hypothesis = re.compile(rf"{_one_of(cues.hypothesis)}[^,。!?;\n]{{0,12}}$")
        self._question = re.compile(_one_of(cues.question))
        self._threat = re.compile(_one_of(cues.threat))
        self._done = re.compile(rf"{_one_of(cues.done)}[^,。!?;\n]{{0,4}}$")
        self._settled = re.compile(_one_of(cues.settled))
        self._quotation = re.compile(rf"{_one_of(cues.quotation)}$")
        self._doubt = re.compile(rf"{_one_of(cues.doubt)}[^,。!?;\n]{{0,8}}$")
        self._own_channel = re.compile(_one_of(cues.own_channel))

    def judge(
        self, text: str, definition: SignalDefinition, signal: str,
        start: int, end: int, certainty: Certainty, channel: str | None,
    ) -> Mention:  # fmt: skip
        """Return the mention with the guard that holds, or with its span and certainty."""
        clause = _start_of(_CLAUSE_END, text, start)
        before = text[clause:start]
        rest = text[end : _end_of(_SENTENCE_END, text, end)]
        guard = self._guard(text, definition, start, end, before, rest, channel)
        if guard is None and (definition.act or certainty == "threatened"):
            start, certainty = self._act(text, clause, start, rest, certainty)
        return Mention(signal, certainty, start, end, guard)

    def _guard(
        self, text: str, definition: SignalDefinition, start: int, end: int,
        before: str, rest: str, channel: str | None,
    ) -> str | None:  # fmt: skip
        guards = definition.guards
        if "doubt" in guards and self._doubt.search(before):
            return "doubt"
        if self._negation.search(before) and not self._double.search(before):
            return "negation"
        if self._negated_after.match(rest):
            return "negation"
        if "hypothesis" in guards and self._hypothetical(definition, before, rest):
            return "hypothesis"
        if "quotation" in guards and self._quotation.search(before):
            return "quotation"
        sentence = _start_of(_SENTENCE_END, text, start)
        if "settled" in guards and self._settled.search(text, sentence, end + min(len(rest), 24)):
            return "settled"
        if "own_channel" in guards and not self._threat.search(before):
            mention = text[start:end]
            near = text[max(sentence, start - 4) : end + 8]
            if mention == channel or self._own_channel.search(near):
                return "own_channel"
        return None

    def _hypothetical(self, definition: SignalDefinition, before: str, rest: str) -> bool:
        """万一着火怎么办 is no signal; 如果再不退款我就起诉 is a threat and counts."""
        if not self._hypothesis.search(before):
            return False
        threat = definition.act or definition.threatened
        return not (threat and self._threat.search(before)) or bool(self._question.search(rest[:6]))

    def _act(
        self, text: str, clause: int, start: int, rest: str, certainty: Certainty
    ) -> tuple[int, Certainty]:
        """Tell a deed done from a threat; a threat's span begins with its condition."""
        before = text[clause:start]
        if threat := self._threat.search(before):
            return clause + threat.start(), "threatened"
        if self._done.search(before) or rest[:1] in ("了", "过"):
            return start, "happened"
        return start, certainty


def _start_of(boundary: re.Pattern[str], text: str, at: int) -> int:
    """Return where the stretch that holds position `at` begins."""
    begin = 0
    for found in boundary.finditer(text, max(0, at - 40), at):
        begin = found.end()
    return begin or max(0, at - 40)


def _end_of(boundary: re.Pattern[str], text: str, at: int) -> int:
    """Return where the stretch that holds position `at` ends, 40 characters on at the most."""
    found = boundary.search(text, at, at + 40)
    return found.start() if found else min(len(text), at + 40)


def longest_literal(phrase: str) -> str:
    """Return the longest part of a phrase that stands in every text it matches.

    Examples
    --------
    >>> longest_literal("打了M(个|次)…电话"), longest_literal("住院")
    ('打了', '住院')
    """
    return max(_GROUP.split(phrase), key=len)


def phrase_to_regex(phrase: str) -> str:
    """Translate a phrase with `…`, `N`, `M` and `(a|b)` to a regular expression.

    Examples
    --------
    >>> import re
    >>> bool(re.search(phrase_to_regex("打了M(个|次)…电话"), "打了十几个投诉电话"))
    True
    """
    parts = []
    for part in re.split(r"(\([^()]*\)\??|[…NM])", phrase):
        if part.startswith("("):
            inner = "|".join(phrase_to_regex(choice) for choice in part.strip("()?").split("|"))
            parts.append(f"(?:{inner}){'?' if part.endswith('?') else ''}")
        else:
            parts.append({"…": _GAP, "N": _NUMBER, "M": _SEVERAL}.get(part, re.escape(part)))
    return "".join(parts)


def _one_of(phrases: tuple[str, ...]) -> str:
    """Return a group that matches any of the phrases, the longest first."""
    return f"(?:{'|'.join(map(phrase_to_regex, sorted(phrases, key=len, reverse=True)))})"


def load_signals(path: Path | None = None) -> SignalMatcher:
    """Read a signals file; the shipped one if none is named.

    Raises
    ------
    ConfigError
        If the file is missing or breaks its rules; the message names field and value.
    """
    path = path or Path(__file__).with_name("signals.yaml")
    definitions, digest = read_config(path, SignalFile)
    return SignalMatcher(definitions, digest)


@cache
def shipped_signals() -> SignalMatcher:
    """Return the matcher of the shipped `signals.yaml`, built once."""
    return load_signals()


def display_names(matcher: SignalMatcher) -> Mapping[str, str]:
    """Return the Chinese display name of each signal."""
    return {name: definition.name for name, definition in matcher.definitions.signals.items()}
