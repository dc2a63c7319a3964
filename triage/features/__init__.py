"""Texts to one matrix for all heads: n-grams, meaning vectors and signals side by side."""

from triage.features.attribution import word_weights
from triage.features.encoder import Encoder, TextEncoder, encoder_version, load_encoder
from triage.features.facts import prepare_tickets
from triage.features.ngrams import (
    TextFeatures,
    char_ngrams,
    usual_min_df,
    word_ngrams,
)
from triage.features.prepared import prepare
from triage.features.vectors import (
    N_WORDS,
    VECTORS_FILE,
    MeaningVectors,
    build_vectors,
    shipped_vectors,
    vocabulary,
)
from triage.scoring import with_facts

__all__ = [
    "N_WORDS",
    "VECTORS_FILE",
    "Encoder",
    "MeaningVectors",
    "TextEncoder",
    "TextFeatures",
    "build_vectors",
    "char_ngrams",
    "encoder_version",
    "load_encoder",
    "prepare",
    "prepare_tickets",
    "shipped_vectors",
    "usual_min_df",
    "vocabulary",
    "with_facts",
    "word_ngrams",
    "word_weights",
]
