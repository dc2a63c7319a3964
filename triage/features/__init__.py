"""Texts to one matrix for all heads: n-grams, meaning vectors and signals side by side."""

from triage.features.ngrams import (
    TextFeatures,
    char_ngrams,
    prepare,
    usual_min_df,
    word_ngrams,
)
from triage.features.vectors import MeaningVectors, build_vectors, shipped_vectors

__all__ = [
    "MeaningVectors",
    "TextFeatures",
    "build_vectors",
    "char_ngrams",
    "prepare",
    "shipped_vectors",
    "usual_min_df",
    "word_ngrams",
]
