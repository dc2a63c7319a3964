"""What the features read of a text."""

from __future__ import annotations

from triage.privacy import find_personal, with_placeholders
from triage.text import Normalised, normalise


def prepare(text: str) -> Normalised:
    """Normalise a text and put placeholders for personal data: what the features read.

    Parameters
    ----------
    text : str
        The text as sent.
    """
    normalised = normalise(text)
    return with_placeholders(normalised, find_personal(normalised.text))
