"""Put marks over personal data, or placeholders for the features."""

from __future__ import annotations

import re
from collections.abc import Iterable

from triage.privacy.names import find_names
from triage.privacy.numbers import find_numbers
from triage.privacy.pieces import Personal, without_overlaps
from triage.privacy.places import find_accounts, find_addresses, find_plates
from triage.schema import Span
from triage.text import Normalised, normalise

MASK = "*"
"""What stands for each masked character."""

_FINDERS = (find_numbers, find_accounts, find_plates, find_addresses, find_names)


def find_personal(normalised: str) -> list[Personal]:
    """Find personal data in a normalised text.

    Parameters
    ----------
    normalised : str
        The `text` of a `Normalised`.

    Returns
    -------
    list of Personal
        In the order of their place, without overlaps. The masked text holds no more of it.
    """
    found = more = _find(normalised)
    while more:
        more = _find(mask_spans(normalised, (Span(p.start, p.end) for p in found)))
        found = without_overlaps(found + more)
    return found


def _find(text: str) -> list[Personal]:
    return [piece for finder in _FINDERS for piece in finder(text)]


def mask_spans(text: str, spans: Iterable[Span]) -> str:
    """Put `MASK` over each character of the given spans of a text."""
    characters: list[str] | None = None
    for start, end in spans:
        characters = characters or list(text)
        characters[start:end] = MASK * (end - start)
    return text if characters is None else "".join(characters)


def mask(text: str) -> str:
    """Mask the personal data in a text; the length stays.

    Examples
    --------
    >>> mask("我叫李小明，电话13800001234，订单号20261122334455")
    '我叫***，电话***********，订单号20261122334455'
    """
    normalised = normalise(text)
    personal = find_personal(normalised.text)
    return mask_spans(text, (normalised.original(p.start, p.end) for p in personal))


def with_placeholders(normalised: Normalised, personal: list[Personal]) -> Normalised:
    """Put one `MASK` for each piece of personal data, as a masked text would show it.

    A text and its masked form give the same result, so that both score alike.
    """
    if not personal and MASK not in normalised.text:
        return normalised
    masked = mask_spans(normalised.text, (Span(p.start, p.end) for p in personal))
    cuts = []
    for run in re.finditer(r" *\*[* ]*", masked):
        kept = masked.index(MASK, run.start())
        cuts += [(run.start(), kept), (kept + 1, run.end())]
    replaced = Normalised(masked, normalised.starts, normalised.ends, normalised.source_length)
    return replaced.without(cuts)
