"""What a policy file holds, and how it is read: one file, laid over the file that it extends."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from hashlib import sha256
from pathlib import Path
from typing import Any, Self, get_args

from pydantic import BaseModel, ConfigDict, Field, model_validator

from triage.deadlines import ServiceLevel, WorkingHours, shipped_regimes
from triage.schema import EMOTIONS, SEVERITIES, Certainty, ConfigError, Grade, Kind, UsageError
from triage.settings import check_config, read_yaml
from triage.signals import NAMES as SIGNAL_NAMES

SHIPPED = Path(__file__).parents[1] / "policies"

PLACEHOLDERS = frozenset({"{time}", "{what}", "{again}"})
"""The binding clock of the first response, the matter, and how often the customer has called."""

FORBIDDEN = ("赔", "补偿", "退款", "退还", "全责", "我们的错", "我方责任", "是我们不对", "免单")
"""Words of promises and admissions that no opening line may hold."""


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


class Labels(_Part):
    """Display names in Chinese; a nature without one is shown by its own label."""

    nature: dict[str, str]
    severity: dict[Grade, str]
    emotion: dict[str, str]


class TargetPrecision(_Part):
    """How often the nature must be right for each decision, from 0 to 1."""

    auto: float = Field(gt=0, lt=1)
    suggest: float = Field(gt=0, lt=1)


class Team(_Part):
    """Who owns a matter."""

    team: str
    name: str


class Urgent(_Part):
    """Who is called by a person at once, and within how many minutes."""

    emotion: str
    signals: list[str]
    response_minutes: float = Field(gt=0)


class Conduct(_Part):
    """What to do and what not to do."""

    do: list[str]
    dont: list[str]


class PolicyFile(_Part):
    """The whole of a policy file, after those that it extends."""

    name: str
    industry: str | None = Field(None, description="The industry of complaints that name none.")
    own_numbers: list[str] = Field(description="The desk's own telephone numbers: no signal.")
    labels: Labels
    cost_matrix: dict[Grade, dict[Grade, float]]
    target_precision: TargetPrecision
    human_from: Grade
    signal_floors: dict[str, dict[Certainty, Grade]]
    vulnerable_steps: dict[str, int]
    amount_floors: dict[Grade, float]
    repeat_floors: dict[Grade, int]
    service_levels: dict[Grade, ServiceLevel]
    working_hours: WorkingHours | None = Field(None, description="When the desk is open.")
    regimes: list[str] = Field(description="Legal clocks of regimes.yaml that are switched on.")
    escalate_after: float = Field(gt=0, lt=1)
    urgent: Urgent
    routes: dict[str, Team]
    default_route: Team
    desks: dict[Grade, str]
    heated_from: str
    heated_desk: str
    tier_desks: dict[str, str]
    copies: dict[str, list[str]]
    nouns: dict[str, str] = Field(description="What {what} calls a matter of each nature.")
    openings: dict[str, dict[str, str]]
    signal_openings: dict[str, str] = Field(description="Openings that come before all others.")
    kind_openings: dict[str, str] = Field(description="Openings of minor contacts by their kind.")
    protected_classes: list[str] = Field(description="Labels whose recall must not get worse.")
    protected_margin: float = Field(
        ge=0, lt=1, description="Loss of their recall from which a new model is refused."
    )
    handling: dict[str, Conduct]
    signal_handling: dict[str, Conduct]

    @model_validator(mode="after")
    def _complete(self) -> Self:
        faults = [
            *self._missing_steps(),
            *self._impatient_grades(),
            *self._unknown_names(),
            *(f"openings.{nature} lacks {_lacking(lines, EMOTIONS)}: write them"
              for nature, lines in self.openings.items() if _lacking(lines, EMOTIONS)),
        ]  # fmt: skip
        faults += [
            f"{where} holds {place!r}: the placeholders are {', '.join(sorted(PLACEHOLDERS))}"
            for where, line in self._lines()
            for place in re.findall(r"\{[^}]*\}", line)
            if place not in PLACEHOLDERS
        ]
        faults += [
            f"{where} holds {promise!r}: an opening admits no liability and promises no money"
            for where, line in self._lines()
            for promise in FORBIDDEN
            if promise in line
        ]
        if faults:
            raise ValueError("; ".join(faults))
        return self

    def _lines(self) -> Iterator[tuple[str, str]]:
        """Yield every opening with the path of its place."""
        for nature, lines in self.openings.items():
            yield from ((f"openings.{nature}.{emotion}", line) for emotion, line in lines.items())
        yield from (
            (f"signal_openings.{name}", line) for name, line in self.signal_openings.items()
        )
        yield from ((f"kind_openings.{kind}", line) for kind, line in self.kind_openings.items())

    def _missing_steps(self) -> list[str]:
        tables: dict[str, Mapping[Grade, object]] = {
            "labels.severity": self.labels.severity,
            "cost_matrix": self.cost_matrix,
            "service_levels": self.service_levels,
            "desks": self.desks,
            **{f"cost_matrix.{step}": row for step, row in self.cost_matrix.items()},
        }
        faults = [f"{where} lacks {_lacking(table, SEVERITIES)}: every step needs one"
                  for where, table in tables.items() if _lacking(table, SEVERITIES)]  # fmt: skip
        for where, table in (("labels.emotion", self.labels.emotion), ("handling", self.handling)):
            if _lacking(table, EMOTIONS):
                faults.append(f"{where} lacks {_lacking(table, EMOTIONS)}: every step needs one")
        return faults

    def _impatient_grades(self) -> list[str]:
        """Find graver grades that wait longer than a milder one."""
        faults = []
        for milder, graver in zip(SEVERITIES, SEVERITIES[1:], strict=False):
            levels = self.service_levels
            if milder not in levels or graver not in levels:
                continue
            for field in ServiceLevel.model_fields:
                slow, quick = getattr(levels[graver], field), getattr(levels[milder], field)
                if slow > quick:
                    faults.append(
                        f"service_levels.{graver}.{field} is {slow:g} but {milder}'s is "
                        f"{quick:g}: a graver grade must not wait longer"
                    )
        return faults

    def _unknown_names(self) -> list[str]:
        tables: dict[str, Sequence[str]] = {
            "signal_floors": list(self.signal_floors),
            "vulnerable_steps": list(self.vulnerable_steps),
            "copies": list(self.copies),
            "signal_handling": list(self.signal_handling),
            "signal_openings": list(self.signal_openings),
            "urgent.signals": self.urgent.signals,
        }
        faults = [
            f"{where} names the unknown signal {name!r}: known are {', '.join(SIGNAL_NAMES)}"
            for where, names in tables.items()
            for name in names
            if name not in SIGNAL_NAMES
        ]
        faults += [
            f"{where} is {value!r}: it must be one of {', '.join(EMOTIONS)}"
            for where, value in (("urgent.emotion", self.urgent.emotion),
                                 ("heated_from", self.heated_from))
            if value not in EMOTIONS
        ]  # fmt: skip
        regimes = shipped_regimes()
        faults += [
            f"regimes names {name!r}, which regimes.yaml has not: known are {', '.join(regimes)}"
            for name in self.regimes
            if name not in regimes
        ]
        faults += [
            f"{where} is {label!r}: it must be one of {', '.join(known)}"
            for where, labels, known in (
                ("protected_classes", self.protected_classes, [*SEVERITIES, *self.labels.nature]),
                ("kind_openings", list(self.kind_openings), list(get_args(Kind))),
                ("nouns", list(self.nouns), [*self.labels.nature, "default"]),
            )
            for label in labels
            if label not in known
        ]
        faults += [
            f"{where} lacks 'default', for natures without lines of their own"
            for where, table in (("openings", self.openings), ("nouns", self.nouns))
            if "default" not in table
        ]
        faults += [
            f"routes lacks {nature!r}, which labels.nature names: give it a team"
            for nature in self.labels.nature
            if nature not in self.routes
        ]
        return faults


def _lacking(table: Collection[str], names: Sequence[str]) -> list[str]:
    return [name for name in names if name not in table]


def read_policy_file(name: str | Path) -> tuple[PolicyFile, str]:
    """Read a shipped policy by name, or a policy file by path.

    A file may begin with `extends: default`, or the path of another file: what it holds is laid
    over that one, table by table; lists and single values take the place of the other's.

    Returns
    -------
    file : PolicyFile
    digest : str
        SHA-256 of the file and of those that it extends.

    Raises
    ------
    UsageError
        If neither a shipped policy nor a file has that name.
    ConfigError
        If the file breaks its rules; one line a fault.
    """
    path = policy_path(name)
    content, digest = _extended(path, ())
    return check_config(content, path, PolicyFile), digest


def policy_path(name: str | Path, beside: Path | None = None) -> Path:
    """Find a policy by its shipped name or its path, relative to the file that names it."""
    shipped = SHIPPED / f"{name}.yaml"
    path = shipped if shipped.is_file() else (beside.parent if beside else Path()) / name
    if not path.is_file():
        known = ", ".join(sorted(file.stem for file in SHIPPED.glob("*.yaml")))
        raise UsageError(f"No policy named {name}: give a path of a file, or one of {known}.")
    return path


def _extended(path: Path, above: tuple[Path, ...]) -> tuple[Any, str]:
    """Return the content of a policy file laid over what it extends, and the digest of both."""
    content, digest = read_yaml(path)
    if not isinstance(content, dict) or "extends" not in content:
        return content, digest
    parent = policy_path(str(content.pop("extends")), beside=path)
    if parent in above or parent == path:
        raise ConfigError(f"{path}: extends {parent}, which extends it in turn: leave one out.")
    base, base_digest = _extended(parent, (*above, path))
    return _laid_over(base, content), sha256(f"{base_digest}{digest}".encode()).hexdigest()


def _laid_over(base: Any, own: Any) -> Any:
    if not isinstance(base, dict) or not isinstance(own, dict):
        return own
    return base | {key: _laid_over(base.get(key), value) for key, value in own.items()}
