"""Find personal data and mask it, one character by one, so that spans stay true.

The kinds are those that the Personal Information Protection Law (PIPL) makes a complaint desk
protect: mobile, landline, identity card, bank card, e-mail, plate, WeChat and QQ ids, house and
room numbers, names with a cue. Order, ticket, model and policy numbers are kept.
"""

from triage.privacy.masking import MASK, find_personal, mask, mask_spans, with_placeholders
from triage.privacy.numbers import passes_luhn
from triage.privacy.pieces import Personal

__all__ = [
    "MASK", "Personal", "find_personal", "mask", "mask_spans", "passes_luhn", "with_placeholders",
]  # fmt: skip
