"""`Triage`: the road of one complaint, for one and for many."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from itertools import accumulate, islice
from pathlib import Path
from typing import Any, NamedTuple, Self

from pydantic import ValidationError

from triage.policy import Policy, Rule, load_policy
from triage.privacy import find_personal, mask_spans, with_placeholders
from triage.registry import Registry
from triage.schema import (
    ORDERED_HEADS,
    SHANGHAI,
    Alternative,
    Assessment,
    Complaint,
    Contribution,
    NaturePrediction,
    Signal,
    Span,
    StepPrediction,
    TextError,
)
from triage.scoring import (
    CHUNK,
    KNOWN_SHARE_FLOOR,
    Asked,
    Flagged,
    Predictions,
    Scored,
    Scorer,
    flagged,
    text_and_facts,
    with_facts,
)
from triage.settings import Settings, load_settings
from triage.signals import Mention, SignalMatcher, disputed_amount, shipped_signals
from triage.text import Normalised, normalise

N_ALTERNATIVES = 3
N_CONTRIBUTIONS = 6
"""How many natures, and how many stretches of text a head, an answer names."""

SAID_AWAY = frozenset({"negation", "hypothesis", "settled", "quotation", "doubt"})
"""Guards of what did not happen, or not to this customer now: the severity does not read it. Of 424
hand-written harmless cases 12 more stay below critical, and none of 474 grave ones is lost."""


class Reading(NamedTuple):
    """One complaint as read: normalised once, personal data and signals found.

    `prepared` is what the features read; `counted` is that without the guarded mentions, which the
    severity reads: what is denied, supposed or settled must not weigh. They are one where nothing
    is guarded. `flags` are the signals in `prepared`, where they are known already.
    """

    complaint: Complaint
    normalised: Normalised
    prepared: Normalised
    counted: Normalised
    masked_text: str
    mentions: list[Mention]
    amount: float | None
    flags: list[Flagged] | None

    def asked(self, source: Normalised) -> str:
        """Return a prepared text with the facts of the complaint: what the model is asked."""
        return with_facts(source.text, self.complaint.kind)


class _Place(NamedTuple):
    """Which row of scored texts a reading is, and which that its severity is read from."""

    plain: int
    weighed: int


class Triage:
    """A desk's first reader: a model, a policy and the signals, ready to assess.

    Parameters
    ----------
    model : Scorer
        The heads; see `model.scorer_of`.
    policy : Policy
        Grades, routes and words.
    model_version : str
        The artifact's version; every answer names it.
    signals : SignalMatcher, optional
        The shipped signals if absent.
    settings : Settings, optional
        Limits; read from the environment if absent.
    """

    def __init__(
        self,
        model: Scorer,
        policy: Policy,
        model_version: str,
        *,
        signals: SignalMatcher | None = None,
        settings: Settings | None = None,
        manifest: Mapping[str, Any] | None = None,
    ) -> None:
        self.model = model
        self.policy = policy
        self.model_version = model_version
        self.manifest = manifest or {}
        self.signals = signals or shipped_signals()
        self.settings = settings or load_settings()
        self._same_signals = model.reads_with(self.signals)

    @classmethod
    def load(
        cls, path: str | Path | None = None, *, policy: str | Path | Policy | None = None
    ) -> Self:
        """Load a model and a policy.

        Parameters
        ----------
        path : str or Path, optional
            A version or a model folder; the promoted version if absent.
        policy : str, Path or Policy, optional
            A shipped policy's name, a file, or a policy; `TRIAGE_POLICY` if absent.

        Raises
        ------
        ArtifactError
            If no model is promoted, or the folder fails its checks.
        ConfigError
            If the policy breaks its rules.
        """
        settings = load_settings()
        registry = open_registry(settings)
        packed, found = registry.open(path)
        model = Scorer(packed, lambda: registry.load(found.path)[0])
        if not isinstance(policy, Policy):
            policy = load_policy(policy or settings.policy)
        return cls(model, policy, found.version, settings=settings, manifest=found.manifest)

    def under(self, policy: Policy) -> Triage:
        """Return a desk with the same model and another policy."""
        return type(self)(
            self.model, policy, self.model_version,
            signals=self.signals, settings=self.settings, manifest=self.manifest,
        )  # fmt: skip

    def rules(self, complaint: Complaint | str) -> list[Rule]:
        """Return the rules of the policy that had a say in the grade of a complaint.

        Those that decided come first, in their order, then those that a graver one made idle.
        """
        reading, answer = self.read(complaint), self.assess(complaint)
        facts = (answer.signals, reading.amount, reading.complaint.repeat_count)
        _, rules = self.policy.grade(answer.severity.distribution, *facts)
        decided = {rule.path for rule in rules}
        idle = [
            rule._replace(reason=f"{rule.reason}，已有更高的规则")
            for rule in self.policy.floors(*facts)
            if rule.path not in decided
        ]
        return rules + idle

    def assess(self, complaint: Complaint | str) -> Assessment:
        """Assess one complaint.

        Parameters
        ----------
        complaint : Complaint or str
            A text alone has no facts and is received now.

        Raises
        ------
        TextError
            If there is nothing to read, or more than the settings allow; `code` says which.
        """
        return self._assess([self.read(complaint)])[0]

    def assess_many(self, complaints: Sequence[Complaint | str]) -> list[Assessment]:
        """Assess many complaints, order kept; the answers equal those of one by one.

        Raises
        ------
        TextError
            If one can't be assessed; the message names its place. Use `assess_each` to go on.
        """
        answers = self.assess_each(complaints)
        for at, answer in enumerate(answers):
            if isinstance(answer, TextError):
                raise TextError(f"Complaint {at}: {answer}", code=answer.code) from answer
        return [answer for answer in answers if isinstance(answer, Assessment)]

    def assess_each(
        self,
        complaints: Sequence[Complaint | str],
        on_step: Callable[[int], None] | None = None,
    ) -> list[Assessment | TextError]:
        """Assess many complaints, each succeeding or failing alone.

        Parameters
        ----------
        complaints : sequence of Complaint or str
        on_step : callable, optional
            Told how many more are done.

        Returns
        -------
        list of Assessment or TextError
            In the order given.
        """
        answers: list[Assessment | TextError] = []
        for begin in range(0, len(complaints), CHUNK):
            chunk = complaints[begin : begin + CHUNK]
            readings: list[Reading | TextError] = []
            for complaint in chunk:
                try:
                    readings.append(self.read(complaint))
                except TextError as error:
                    readings.append(error)
            done = iter(self._assess([r for r in readings if isinstance(r, Reading)]))
            answers += [next(done) if isinstance(r, Reading) else r for r in readings]
            if on_step:
                on_step(len(chunk))
        return answers

    def read(self, complaint: Complaint | str) -> Reading:
        """Normalise a complaint, find its personal data and its signals.

        Raises
        ------
        TextError
            If nothing visible was sent, or too much.
        """
        complaint = _as_complaint(complaint)
        limit = self.settings.max_text_chars
        if len(complaint.text) > limit:
            raise TextError(
                f"The text has {len(complaint.text)} characters, more than the {limit} that "
                "TRIAGE_MAX_TEXT_CHARS allows: send the complaint without its attachments.",
                code="text_too_long",
            )
        normalised = normalise(complaint.text)
        text = normalised.text
        if not text.strip("\ufffd"):
            raise TextError(
                "The text is empty: nothing visible was sent. Send the complaint's words.",
                code="text_empty",
            )
        personal = find_personal(text)
        masked = mask_spans(complaint.text, (normalised.original(p.start, p.end) for p in personal))
        mentions = self.signals.find(text, complaint.channel)
        prepared = with_placeholders(normalised, personal)
        disputed = disputed_amount(text)
        return Reading(
            complaint,
            normalised,
            prepared,
            self._counted(prepared, mentions),
            masked,
            self._without_own(text, mentions),
            complaint.amount if complaint.amount is not None else disputed and disputed.value,
            flagged(mentions, disputed)
            if prepared is normalised and self._same_everywhere(mentions, complaint.channel)
            else None,
        )

    def _same_everywhere(self, mentions: Sequence[Mention], channel: str | None) -> bool:
        """Tell whether the model finds the same signals, which does not know the channel."""
        own = channel is not None and any(mention.guard == "own_channel" for mention in mentions)
        return self._same_signals and not own

    def _without_own(self, text: str, mentions: list[Mention]) -> list[Mention]:
        """Guard the mentions of the desk's own numbers."""
        own = self.policy.file.own_numbers
        if not own:
            return mentions
        return [
            mention._replace(guard="own_channel")
            if mention.guard is None and text[mention.start : mention.end] in own
            else mention
            for mention in mentions
        ]

    def _counted(self, prepared: Normalised, mentions: Sequence[Mention]) -> Normalised:
        """Take out what is guarded for what is said of it, not for being another thing's name."""
        if not any(mention.guard in SAID_AWAY for mention in mentions):
            return prepared
        again = self.signals.find(prepared.text)
        cut = prepared.without((m.start, m.end) for m in again if m.guard in SAID_AWAY)
        return cut if cut.text else prepared

    def contributions(
        self, reading: Reading, label: str, head: str, predictions: Predictions, at: int
    ) -> list[Contribution]:
        """Say how much each word of a text weighs toward a label: what the margin loses without it.

        Parameters
        ----------
        reading : Reading
            The complaint as read.
        label, head : str
            What the weights speak for.
        predictions : Predictions
            The features of the texts.
        at : int
            Which of them this one is.

        Returns
        -------
        list of Contribution
            One for each word, in the order of the text; with the head's intercept the weights add
            up to its margin: see `scoring.Space.weigh`.
        """
        scored = self.model.score([Asked.of(predictions.asked[at])])
        [(words, weights)] = self.model.weigh(scored, {head: [label]})[head]
        told = _told(reading, reading.prepared, words, range(len(words)))
        return [Contribution(span, text, weights[at], label) for at, span, text in told]

    def _assess(self, readings: list[Reading]) -> list[Assessment]:
        """Assess readings, `CHUNK` at the most."""
        if not readings:
            return []
        now = datetime.now(SHANGHAI).replace(microsecond=0)
        asked = [Asked(*text_and_facts(r.asked(r.prepared)), r.flags) for r in readings]
        places = []
        for at, reading in enumerate(readings):
            weighed = at
            if reading.counted is not reading.prepared:
                weighed = len(asked)
                asked.append(Asked.of(reading.asked(reading.counted)))
            places.append(_Place(at, weighed))
        scored = self.model.score(asked)
        rows = {head: table.tolist() for head, table in scored.probabilities.items()}
        natures = [self._nature(row) for row in rows["nature"][: len(readings)]]
        severities = [self._step("severity", rows["severity"][place.weighed]) for place in places]
        owners = [*places, *(place for place in places if place.weighed != place.plain)]
        weights = self.model.weigh(scored, {
            "nature": [natures[place.plain].label for place in owners],
            "severity": [severities[place.plain].label for place in owners],
        })  # fmt: skip
        return [
            self._answer(
                reading, now, natures[at], severities[at],
                self._step("emotion", rows["emotion"][at]), scored, at,
                _strongest(reading, reading.prepared, *weights["nature"][at], natures[at].label)
                + _strongest(reading, reading.counted, *weights["severity"][place.weighed],
                             severities[at].label),
            )
            for at, (reading, place) in enumerate(zip(readings, places, strict=True))
        ]  # fmt: skip

    def _answer(
        self, reading: Reading, now: datetime, nature: NaturePrediction, severity: StepPrediction,
        emotion: StepPrediction, scored: Scored, at: int, explanation: list[Contribution],
    ) -> Assessment:  # fmt: skip
        """Put one answer together from what was read and predicted."""
        complaint, policy = reading.complaint, self.policy
        if complaint.received_at is None:
            complaint = complaint.model_copy(update={"received_at": now})
        assert complaint.received_at is not None
        signals = self._signals(reading)
        grade, rules = policy.grade(
            severity.distribution, signals, reading.amount, complaint.repeat_count
        )
        reasons = [rule.reason for rule in rules]
        thresholds, sureness = self.model.thresholds, nature.probability
        route, known = policy.route(
            nature.label, grade, emotion.label, complaint.customer_tier, signals
        )
        unreadable = scored.known_share[at] < KNOWN_SHARE_FLOOR
        steps = list(severity.distribution)
        covered = sum(severity.distribution[step] for step in steps[: steps.index(grade) + 1])
        decision = policy.decide(sureness, thresholds, grade, covered=covered, routed=known)
        if unreadable or scored.off_topic[at]:
            decision = "review"
            reasons.append("内容不像是向本部门反映的事，请人工判断")
        else:
            reasons.append(policy.decision_reason(decision, sureness, grade))
        if not known:
            reasons.append(f"性质「{nature.name}」没有设置去向，转默认团队")
        deadlines = policy.deadlines(complaint, grade, nature.label, emotion.label, signals)
        degraded = [] if known else ["route.default"]
        if any(clock.provisional for clock in deadlines):
            degraded.append("calendar")
        return Assessment(
            id=complaint.id,
            revision=1,
            model_version=self.model_version,
            policy_version=policy.version,
            stored=False,
            received_at=complaint.received_at,
            masked_text=reading.masked_text,
            nature=nature,
            severity=severity,
            emotion=emotion,
            sentiment=round(float(scored.sentiment[at]), 4),
            signals=signals,
            grade=grade,
            grade_name=policy.name_of("severity", grade),
            decision=decision,
            route=route,
            deadlines=deadlines,
            reasons=reasons,
            handling=policy.handling(
                complaint, grade, nature.label, emotion.label, signals, deadlines
            ),
            explanation=explanation,
            degraded=degraded,
        )

    def _nature(self, row: Sequence[float]) -> NaturePrediction:
        labels = self.model.labels["nature"]
        order = sorted(range(len(row)), key=row.__getitem__, reverse=True)[: N_ALTERNATIVES + 1]
        found = [Alternative(labels[i], round(row[i], 4)) for i in order]
        name = self.policy.name_of("nature", found[0].label)
        return NaturePrediction(found[0].label, name, found[0].probability, found[1:])

    def _step(self, head: str, row: Sequence[float]) -> StepPrediction:
        distribution = dict(zip(ORDERED_HEADS[head], [round(p, 4) for p in row], strict=True))
        label = max(distribution, key=distribution.__getitem__)
        name = self.policy.name_of(head, label)
        return StepPrediction(label, name, distribution[label], distribution)

    def _signals(self, reading: Reading) -> list[Signal]:
        found = []
        for mention in reading.mentions:
            if mention.guard is None:
                span = reading.normalised.original(mention.start, mention.end)
                text = reading.masked_text[span.start : span.end]
                found.append(Signal(mention.name, mention.certainty, span, text))
        return found


def _as_complaint(complaint: Complaint | str) -> Complaint:
    if isinstance(complaint, Complaint):
        return complaint
    try:
        return Complaint(text=complaint)
    except ValidationError as error:
        raise TextError(
            f"A complaint is a text, not {type(complaint).__name__}: send a str or a Complaint.",
            code="text_invalid",
        ) from error


def _strongest(
    reading: Reading, source: Normalised, words: Sequence[str], weights: Sequence[float], label: str
) -> list[Contribution]:
    """Name the stretches that weigh most toward a label, marks passed over."""
    order = [at for at, weight in enumerate(weights) if weight > 0]
    order.sort(key=weights.__getitem__, reverse=True)
    said = (at for at in order if words[at].isalnum() or any(map(str.isalnum, words[at])))
    heaviest = list(islice(said, N_CONTRIBUTIONS))
    return [
        Contribution(span, text, round(weights[at], 4), label)
        for at, span, text in _told(reading, source, words, heaviest)
    ]


def _told(
    reading: Reading, source: Normalised, words: Sequence[str], order: Iterable[int]
) -> Iterator[tuple[int, Span, str]]:
    """Yield words in an order, with spans in the text as sent, masked."""
    ends = list(accumulate(map(len, words)))
    for at in order:
        span = source.original(ends[at] - len(words[at]), ends[at])
        yield at, span, reading.masked_text[span.start : span.end]


def open_registry(settings: Settings | None = None) -> Registry:
    """Open the registry that the settings name."""
    settings = settings or load_settings()
    key = settings.model_key.get_secret_value() if settings.model_key else None
    return Registry(settings.models, key)
