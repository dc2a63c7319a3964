"""Which model and policy answer now, and how new ones take their place without an outage."""

import logging
import threading
from pathlib import Path

from triage.engine import Triage
from triage.policy import Policy, load_policy
from triage.registry import CURRENT_FILE
from triage.schema import ArtifactError, TriageError
from triage.service import metrics
from triage.service.problems import Problem, config_faults, problem
from triage.settings import Settings, home_folder, load_settings

LOG = logging.getLogger("triage.service")

EXAMPLE_TEXT = "快递把冰箱摔坏了，客服一直不理，再不处理我就打12315"

STAMP = "reload"
"""The file in the home folder that tells all workers to read model and policy again."""

_Look = tuple[object, object]


class Serving:
    """The desk that answers now, and how the last reload went.

    A new model or policy is loaded and tried beside the old one, which answers until the new one
    takes its place in one step; what is refused changes nothing.

    Parameters
    ----------
    desk : Triage
        What answers until a reload succeeds.
    policy : str, optional
        Name or file that a reload reads again; that of the settings if absent.
    model : str, optional
        The version to stay with; `models/current` is followed if absent.
    follow : bool
        Whether a reload may change the model at all.
    """

    def __init__(
        self,
        desk: Triage,
        policy: str | None = None,
        model: str | None = None,
        *,
        follow: bool = True,
    ) -> None:
        self.desk = desk
        self.policy = policy
        self.model = model
        self.follow = follow
        self.reload_problem: Problem | None = None
        self.settings: Settings = desk.settings
        self._reloading = threading.Lock()
        self._seen = self._look()
        metrics.in_force(desk.model_version, desk.policy.version)

    def warm_up(self) -> None:
        """Assess an example, so that the first caller does not wait for tables to be read."""
        self.desk.assess(EXAMPLE_TEXT)

    def reload(self) -> None:
        """Read policy and model again; what is refused changes nothing and is remembered."""
        with self._reloading:
            self._seen = self._look()
            try:
                policy = load_policy(self.policy or load_settings().policy)
            except TriageError as error:
                self._refuse("policy_invalid", error)
                return
            try:
                desk = self._under(policy)
                desk.assess(EXAMPLE_TEXT)
            except Exception as error:  # a spoilt artifact may fail in any way
                self._refuse("model_invalid", error)
                return
            self.desk = desk
            self.reload_problem = None
        metrics.RELOADS.labels("done").inc()
        metrics.in_force(desk.model_version, desk.policy.version)
        LOG.info("serving model %s under policy %s", desk.model_version, desk.policy.version)

    def announce(self) -> None:
        """Tell the other workers to reload; this one has done so."""
        (home_folder(self.settings.home) / STAMP).touch()
        self._seen = self._look()

    def look(self) -> None:
        """Reload if another model was promoted or a reload announced."""
        if self._look() != self._seen:
            self.reload()

    def _under(self, policy: Policy) -> Triage:
        """Return a desk under a policy, with the model that is promoted now."""
        wanted = self.model or _read(self.settings.models / CURRENT_FILE)
        if not self.follow or wanted == self.desk.model_version:
            return self.desk.under(policy)
        return Triage.load(self.model, policy=policy)

    def _refuse(self, code: str, error: Exception) -> None:
        if not isinstance(error, TriageError):
            LOG.exception("reload failed", exc_info=error)
            error = ArtifactError(f"The new model can't assess ({type(error).__name__}).")
        self.reload_problem = problem(code, config_faults(error))
        metrics.RELOADS.labels("refused").inc()
        LOG.error("reload refused (%s): %s", code, error)

    def _look(self) -> _Look:
        """Return what changes with every promotion and every announced reload."""
        current = self.settings.models / CURRENT_FILE if self.follow and not self.model else None
        return current and (_read(current), _stamp(current)), _stamp(
            home_folder(self.settings.home) / STAMP
        )


def _read(path: Path) -> str | None:
    try:
        return path.read_text("utf-8", "replace").strip()
    except OSError:
        return None


def _stamp(path: Path) -> int | None:
    try:
        return path.stat().st_mtime_ns
    except OSError:
        return None
