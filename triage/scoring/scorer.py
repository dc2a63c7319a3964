"""The heads of a model on plain arrays: probabilities, and what the words of a text weigh."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from triage.scoring.arrays import Packed
from triage.scoring.asked import Asked
from triage.scoring.calibration import Floats, Head, logistic, platt_lines
from triage.scoring.flags import Flagged, flagged
from triage.scoring.space import Counted, Space
from triage.signals import SignalFile, SignalMatcher, disputed_amount, shipped_signals
from triage.text import Segmenter

if TYPE_CHECKING:
    import scipy.sparse as sp

KNOWN_SHARE_FLOOR = 0.35
"""A text of which the vocabulary knows less goes to a person.

Of 3,000 reviews of shops, hotels and meals, none of them trained on, the least known scored 0.41
and one in 200 under 0.60; German, English, Japanese and typed-at-random text 0.00 to 0.15.
"""

CHUNK = 64
"""Texts that are counted at once: their arrays stay in the processor's cache."""


@dataclass(frozen=True, slots=True)
class Predictions:
    """What the heads say of many texts.

    Attributes
    ----------
    probabilities : dict of str to ndarray of shape (n_texts, n_labels)
        For nature, severity and emotion, columns in `labels` order.
    labels : dict of str to list of str
    sentiment : ndarray of shape (n_texts,)
        0 most negative … 1 most positive.
    known_share : ndarray of shape (n_texts,)
        Share of the text that the vocabulary knows, 0 … 1.
    off_topic : ndarray of shape (n_texts,)
        True for texts that are no matter for the desk that the nature was learned from.
    asked : sequence of str of length n_texts
        The prepared texts.
    features : callable
        From prepared texts to their features in each space.
    """

    probabilities: dict[str, Floats]
    labels: dict[str, list[str]]
    sentiment: Floats
    known_share: Floats
    off_topic: NDArray[np.bool_]
    asked: Sequence[str]
    features: Callable[[Sequence[str]], list[sp.csr_matrix]]

    def likeliest(self, head: str) -> list[str]:
        """Return the likeliest label of each text."""
        return [self.labels[head][at] for at in self.probabilities[head].argmax(axis=1)]

    @property
    def matrices(self) -> list[sp.csr_matrix]:
        """The features in each space, made by the fitted model."""
        return self.features(self.asked)


class Scored(NamedTuple):
    """Texts as scored: their probabilities, and what explanations are made of."""

    probabilities: dict[str, Floats]
    sentiment: Floats
    known_share: Floats
    off_topic: NDArray[np.bool_]
    counted: list[Counted]


class _Part(NamedTuple):
    """A space, its heads, and what it reads texts with."""

    space: Space
    heads: dict[str, Head]
    intercepts: Floats
    slopes: Floats
    offsets: Floats
    off_topic: tuple[int, float] | None
    segmenter: Segmenter
    matcher: SignalMatcher
    encoded: bool


class Scorer:
    """All heads of a model, read from plain arrays.

    Parameters
    ----------
    packed : Packed
        Facts and arrays of a fitted model; see `model.pack`.
    fitted : callable
        Returns the fitted model itself, for who needs its features or coefficients.

    Attributes
    ----------
    thresholds : dict
        `suggest`: least probability of the nature; `auto`: the same, times that of a severity no
        graver than the grade.
    labels : dict of head to list of str
    """

    def __init__(self, packed: Packed, fitted: Callable[[], Any]) -> None:
        self._fitted = fitted
        self.thresholds: dict[str, float] = dict(packed.facts["thresholds"])
        segmenters: dict[str, Segmenter] = {}
        self._parts = [
            _part(nth, facts, packed, segmenters)
            for nth, facts in enumerate(packed.facts["spaces"])
        ]
        self.labels: dict[str, list[str]] = {
            name: head.labels for part in self._parts for name, head in part.heads.items()
            if head.labels
        }  # fmt: skip

    @cached_property
    def fitted(self) -> Any:
        """The fitted `TriageModel`, read when first needed."""
        return self._fitted()

    @property
    def spaces(self) -> Any:
        """The spaces of the fitted model."""
        return self.fitted.spaces

    def head(self, name: str) -> Any:
        """Return a head of the fitted model by name."""
        return self.fitted.head(name)

    def reads_with(self, matcher: SignalMatcher) -> bool:
        """Tell whether the model knows the signals of a matcher and no others."""
        return all(part.matcher is matcher for part in self._parts)

    def predict(self, prepared: Sequence[str]) -> Predictions:
        """Score prepared texts with every head.

        Parameters
        ----------
        prepared : sequence of str of length n_texts
            See `features.prepare`.
        """
        asked = list(map(Asked.of, prepared))
        parts = [self.score(asked[at : at + CHUNK]) for at in range(0, len(asked), CHUNK)]
        return Predictions(
            {name: np.concatenate([part.probabilities[name] for part in parts])
             for name in self.labels},
            self.labels,
            np.concatenate([part.sentiment for part in parts]),
            np.concatenate([part.known_share for part in parts]),
            np.concatenate([part.off_topic for part in parts]),
            prepared,
            lambda texts: [space.features.transform(texts) for space in self.spaces],
        )  # fmt: skip

    def score(self, asked: Sequence[Asked]) -> Scored:
        """Score some texts at once, `CHUNK` at the most."""
        texts = [one.text for one in asked]
        cuts: dict[int, list[list[str]]] = {}
        probabilities: dict[str, Floats] = {}
        sentiment = known = np.zeros(len(asked))
        off_topic = np.zeros(len(asked), dtype=bool)
        read = []
        for nth, part in enumerate(self._parts):
            key = id(part.segmenter)
            if key not in cuts:
                cuts[key] = list(map(part.segmenter.cut, texts))
            encoded = self.spaces[nth].features.encoder_.transform(texts) if part.encoded else None
            counted = part.space.count(
                asked, cuts[key], [_flags(one, part.matcher) for one in asked], encoded
            )
            margins = counted.outputs + part.intercepts
            shares = logistic(margins * part.slopes + part.offsets)
            for name, head in part.heads.items():
                found = head.probabilities(margins, shares)
                if head.labels:
                    probabilities[name] = found
                else:
                    sentiment = found[:, 0]
            known = np.maximum(known, counted.known_share)
            if part.off_topic:
                column, threshold = part.off_topic
                off_topic = off_topic | (margins[:, column] > threshold)
            read.append(counted)
        return Scored(probabilities, sentiment, known, off_topic, read)

    def weigh(
        self, scored: Scored, labels: Mapping[str, Sequence[str]]
    ) -> dict[str, list[tuple[list[str], list[float]]]]:
        """Say what each word of scored texts weighs toward a label.

        Parameters
        ----------
        scored : Scored
        labels : mapping of head to sequence of str of length n_texts
            The label of each text that the weights speak for.

        Returns
        -------
        dict of head to list of (words, weights)
            For each text. With the head's intercept the weights of a text add up to its margin;
            see `Space.weigh`.
        """
        found = {}
        for part, counted in zip(self._parts, scored.counted, strict=True):
            heads = [name for name in labels if name in part.heads]
            if not heads:
                continue
            directions = np.array([
                [part.heads[name].direction(label) for label in labels[name]] for name in heads
            ]).T  # fmt: skip
            columns = directions[0].astype(np.int64)
            wholes = counted.outputs[np.arange(len(columns))[:, None], columns]
            weights = part.space.weigh(counted, columns, directions[1], wholes).T.tolist()
            begins = counted.words.begins.tolist()
            spans = [slice(a + 1, b) for a, b in zip(begins, begins[1:], strict=False)]
            words = counted.words.words
            for name, column in zip(heads, weights, strict=True):
                found[name] = [(words[span], column[span]) for span in spans]
        return found


def _flags(asked: Asked, matcher: SignalMatcher) -> Sequence[Flagged]:
    if asked.flags is not None:
        return asked.flags
    return flagged(matcher.find(asked.text), disputed_amount(asked.text))


def _part(
    nth: int, facts: Mapping[str, Any], packed: Packed, segmenters: dict[str, Segmenter]
) -> _Part:
    """Put one space together; spaces that cut alike share their segmenter."""
    pinned = facts["segmenter"]
    segmenter = segmenters.setdefault(str(pinned), segmenters.get(str(pinned)) or _cutter(pinned))
    own = {
        name.removeprefix(f"{nth}."): array
        for name, array in packed.arrays.items()
        if name.startswith(f"{nth}.") or "." not in name
    }
    signals, matcher = facts["signals"], shipped_signals()
    if signals["digest"] != matcher.digest:
        definitions = SignalFile.model_validate(signals["definitions"])
        matcher = SignalMatcher(definitions, signals["digest"])
    return _Part(
        Space(own, facts["n_words"], facts["characters"]),
        {name: Head.of(head) for name, head in facts["heads"].items()},
        np.array(facts["intercepts"]),
        *platt_lines(facts["heads"].values(), len(facts["intercepts"])),
        tuple(facts["off_topic"]) if facts["off_topic"] else None,
        segmenter,
        matcher,
        facts["encoded"],
    )


def _cutter(pinned: Mapping[str, Any]) -> Segmenter:
    segmenter = Segmenter.__new__(Segmenter)
    segmenter.__setstate__(dict(pinned))
    return segmenter
