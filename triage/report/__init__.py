"""Pages that people read: of a model, of an audit, of a first look at a file.

Each page is one HTML file in plain Chinese that opens offline and prints: styles and plots stand in
it, it loads nothing and runs no script. All texts are masked and escaped.
"""

from triage.report.audit import audit_page
from triage.report.first_look import import_page
from triage.report.model import model_page
from triage.report.shown import ShownError, ShownSpan, worst_errors
from triage.report.training import training_page
from triage.report.writing import write_page

__all__ = [
    "ShownError",
    "ShownSpan",
    "audit_page",
    "import_page",
    "model_page",
    "training_page",
    "worst_errors",
    "write_page",
]
