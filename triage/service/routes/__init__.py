"""The routes by topic; each module adds its own to the application."""

from triage.service.routes.assess import add_assess
from triage.service.routes.assessments import add_assessments
from triage.service.routes.operation import add_operation
from triage.service.routes.pages import add_pages
from triage.service.routes.review import add_review

__all__ = ["add_assess", "add_assessments", "add_operation", "add_pages", "add_review"]
