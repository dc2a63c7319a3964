"""Risk signals: what a desk must not overlook, with guards against false alarms.

`signals.yaml` holds the phrases and the guards' words. A mention is dropped where a guard holds and
kept among the guarded ones for people to see. Sums of money are read here too.
"""

from triage.signals.amounts import Amount, disputed_amount, find_amounts
from triage.signals.definitions import NAMES, Mention, SignalFile, anchors, phrase_to_regex
from triage.signals.matcher import SignalMatcher, load_signals, shipped_signals

__all__ = [
    "NAMES",
    "Amount",
    "Mention",
    "SignalFile",
    "SignalMatcher",
    "anchors",
    "disputed_amount",
    "find_amounts",
    "load_signals",
    "phrase_to_regex",
    "shipped_signals",
]
