"""What the routes share, built once for each process."""

from dataclasses import dataclass

from fastapi import Depends, params

from triage.service.auth import Guard
from triage.service.intake import Intake
from triage.service.keeping import Keeping
from triage.service.keys import Keyring, Scope
from triage.service.limits import Rate
from triage.service.watch import Serving
from triage.settings import Settings


@dataclass(frozen=True, slots=True)
class Parts:
    """The parts of a running service.

    Attributes
    ----------
    settings : Settings
    serving : Serving
        The model and policy in force.
    keeping : Keeping or None
        The store and its spool.
    intake : Intake
        The road of a request.
    ring : Keyring
    rate : Rate
        Who may ask, and how often.
    """

    settings: Settings
    serving: Serving
    keeping: Keeping | None
    intake: Intake
    ring: Keyring
    rate: Rate

    def allow(self, *scopes: Scope) -> list[params.Depends]:
        """Return the dependency that lets in keys with one of these scopes."""
        return [Depends(Guard(self.ring, self.rate, *scopes))]
