"""Whether a mention counts: negation, hypothesis, settled, quotation, doubt, own channel."""

from __future__ import annotations

import re

from triage.schema import Certainty
from triage.signals.definitions import Cues, Mention, SignalDefinition, one_of

_CLAUSE_END = re.compile(r"[,。!?;:\n~]|但|可是|不过|却|结果|反而|而且|然后|于是")
_SENTENCE_END = re.compile(r"[。!?;\n]")


# 你去12315告吧, 不满意就打12345: somebody else's dare, with nobody of ours in the clause
_DARE = re.compile(r"^[^我俺咱]*(?:[你您](?!们)|不服|不满意|有意见|嫌[^,我]{1,4})[^,。我俺]{0,8}$")
_OWN_WORDS = re.compile(r"[我俺咱]")


class Guards:
    """Decides whether a mention counts, and how certain it is."""

    def __init__(self, cues: Cues) -> None:
        filler = one_of(cues.filler)
        listed = r"(?:[^,。!?;\n]{1,6}[、和或及])?"
        brief = one_of(cues.brief_filler)
        self._negation = re.compile(
            rf"{one_of(cues.negation)}{filler}{{0,4}}{listed}$"
            rf"|{one_of(cues.brief_negation)}{brief}{{0,3}}{listed}$"
        )
        self._double = re.compile(one_of(cues.double))
        self._negated_after = re.compile(one_of(cues.negated_after))
        self._hypothesis = re.compile(
            rf"{one_of(cues.hypothesis)}[^,。!?;\n]{{0,12}}$"
            rf"|{one_of(cues.some_day)}[^。!?;\n]{{0,20}}$"
        )
        self._question = re.compile(one_of(cues.question))
        self._threat = re.compile(one_of(cues.threat))
        self._done = re.compile(rf"{one_of(cues.done)}[^,。!?;\n]{{0,4}}$")
        self._settled = re.compile(one_of(cues.settled))
        self._quotation = re.compile(rf"{one_of(cues.quotation)}$")
        self._doubt = re.compile(rf"{one_of(cues.doubt)}[^,。!?;\n]{{0,8}}$")
        self._own_channel = re.compile(one_of(cues.own_channel))

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
            start, certainty = self._act(text, definition, (clause, start, end), certainty)
        return Mention(signal, certainty, start, end, guard)

    def _guard(
        self, text: str, definition: SignalDefinition, start: int, end: int,
        before: str, rest: str, channel: str | None,
    ) -> str | None:  # fmt: skip
        guards = definition.guards
        if _in_title(text, start):
            return "neutral"
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
        if "dare" in guards and (_DARE.search(before) or _quoted(text, start)):
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
        self,
        text: str,
        definition: SignalDefinition,
        place: tuple[int, int, int],
        certainty: Certainty,
    ) -> tuple[int, Certainty]:
        """Tell a deed done from a threat; a threat's span begins with its condition.

        `place` is where the clause, the mention and what follows begin.
        """
        clause, start, end = place
        if threat := self._threat.search(text, clause, end):
            return min(start, threat.start()), "threatened"
        done = self._done.search(text[clause:start])
        if done or (definition.act and text[end : end + 1] in ("了", "过")):
            return start, "happened"
        return start, certainty


def _in_title(text: str, at: int) -> bool:
    """Tell whether a position stands in a title of a book or film, 《…》."""
    opened = text.rfind("《", max(0, at - 30), at)
    return opened >= 0 and "》" not in text[opened:at]


def _quoted(text: str, at: int) -> bool:
    """Tell whether a position stands in quotation marks around somebody else's words."""
    if text.count('"', 0, at) % 2 == 0:
        return False
    opened = text.rfind('"', 0, at)
    return not _OWN_WORDS.search(text, max(0, opened - 4), at)


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
