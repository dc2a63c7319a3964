"""Scoring from plain arrays: all heads in one pass, and what each word weighs, exactly as fitted.

No scikit-learn here: a folder's arrays are mapped from the disk, shared by all who read them, and
give the probabilities of the fitted model to 1e-6.
"""

from triage.scoring.arrays import (
    ARRAYS_FILE,
    FACTS_FILE,
    Arrays,
    Packed,
    read_arrays,
    write_arrays,
)
from triage.scoring.asked import FACTS, MARK, Asked, text_and_facts, with_facts
from triage.scoring.flags import FLAGS, Flagged, flagged
from triage.scoring.scorer import CHUNK, KNOWN_SHARE_FLOOR, Predictions, Scored, Scorer
from triage.scoring.space import Space, word_share
from triage.scoring.table import NGRAM, build_table, ngram_key, pair_key

__all__ = [
    "ARRAYS_FILE",
    "Arrays",
    "Asked",
    "CHUNK",
    "FACTS",
    "FACTS_FILE",
    "FLAGS",
    "Flagged",
    "KNOWN_SHARE_FLOOR",
    "MARK",
    "NGRAM",
    "Packed",
    "Predictions",
    "Scored",
    "Scorer",
    "Space",
    "build_table",
    "flagged",
    "ngram_key",
    "pair_key",
    "read_arrays",
    "text_and_facts",
    "with_facts",
    "word_share",
    "write_arrays",
]
