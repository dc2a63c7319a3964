"""Triage of Chinese customer complaints: nature, severity, emotion, grade, route and deadlines."""

from typing import TYPE_CHECKING, Any

from triage.schema import Assessment, Complaint, TriageError

if TYPE_CHECKING:
    from triage.engine import Triage

__version__ = "0.1.0"
__all__ = ["Assessment", "Complaint", "Triage", "TriageError", "__version__"]


def __getattr__(name: str) -> Any:
    """Import the engine on first use, so that `import triage` stays quick."""
    if name == "Triage":
        from triage.engine import Triage

        return Triage
    raise AttributeError(f"module 'triage' has no attribute {name!r}")
