"""The vocabulary of fitted features as plain arrays, for scoring."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from triage.features.ngrams import TextFeatures
from triage.features.vectors import MeaningVectors
from triage.scoring import Space, build_table, ngram_key, pair_key, word_share
from triage.scoring.space import SEEN, SHARE, SQUARE, WORD_MARK

Arrays = dict[str, NDArray[Any]]


def packed_vectors(vectors: MeaningVectors) -> Arrays:
    """Return the vectors of words, with a last row for words that have none."""
    return {"vectors": np.vstack([vectors.vectors, np.zeros((1, vectors.dimensions), np.int8)])}


def packed_features(features: TextFeatures, coefficients: NDArray[Any]) -> Arrays:
    """Return the arrays of fitted features under the coefficients of outputs.

    Parameters
    ----------
    features : TextFeatures
    coefficients : ndarray of shape (n_features, n_outputs)
    """
    known, chars = features.words_.vocabulary_, features.chars_.vocabulary_
    words = [
        *features.vectors.place,
        *sorted(
            known.keys() - features.vectors.place.keys() - {word for word in known if " " in word}
        ),
    ]
    number = {word: at for at, word in enumerate(words)}
    pairs = {tuple(word.split(" ")): column for word, column in known.items() if " " in word}
    keys = [pair_key(number[a], number[b]) for a, b in pairs] + [ngram_key(run) for run in chars]
    columns = [*pairs.values(), *(features.n_words_ + column for column in chars.values())]
    table = build_table(np.array(keys, np.int64), np.array(columns, np.int32))
    return {
        "words": np.frombuffer(WORD_MARK.join(words).encode("utf-8", "surrogatepass"), np.uint8),
        "columns": np.array([*(known.get(word, -1) for word in words), -1, -1, -1], np.int32),
        "keys": table.keys,
        "key_columns": table.columns,
        "idf": np.concatenate([features.words_.idf_, features.chars_.idf_]).astype(np.float32),
        "weights": coefficients[: features.n_ngrams_].astype(np.float32),
        "lexicon": _lexicon(features, coefficients[features.vector_columns], words),
        "flags": coefficients[features.flag_columns].astype(np.float32),
        "facts": coefficients[features.fact_columns].astype(np.float32),
        "encoder": coefficients[features.encoder_columns].astype(np.float32),
    }  # fmt: skip


def _lexicon(
    features: TextFeatures, coefficients: NDArray[Any], words: list[str]
) -> NDArray[np.float32]:
    """Return what each word adds to the outputs, and `SHARE`, `SQUARE`, `SEEN` and `KNOWN`.

    The last three rows stand for other words, gaps and blanks.
    """
    known, characters = features.words_.vocabulary_, frozenset(known_characters(features))
    held = features.vectors
    vectors, share = held.vectors.astype(np.float32), held.weights[:, None] / 127
    lexicon = np.zeros((len(words) + 3, coefficients.shape[1] + 4), np.float32)
    lexicon[: len(vectors), :SHARE] = share * (vectors @ coefficients)
    lexicon[: len(vectors), SHARE] = share[:, 0]
    lexicon[: len(vectors), SQUARE] = (vectors**2).sum(axis=1)
    lexicon[: len(words), SEEN:] = [
        (letters := sum(map(str.isalnum, word)), letters) if word in known
        else word_share(word, characters)
        for word in words
    ]  # fmt: skip
    return lexicon


def known_characters(features: TextFeatures) -> str:
    """Return the characters of the vocabulary in one string."""
    return "".join(run for run in features.chars_.vocabulary_ if len(run) == 1)


def space_of(features: TextFeatures, coefficients: NDArray[Any]) -> Space:
    """Return fitted features for scoring, with the given outputs."""
    arrays = packed_features(features, coefficients) | packed_vectors(features.vectors)
    return Space(arrays, features.n_words_, known_characters(features))
