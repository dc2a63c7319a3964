"""Tell UTF-8 from GB18030."""

from __future__ import annotations

REPLACEMENT = "\ufffd"
"""What stands for bytes that can't be decoded."""

_FAULT_SHARE = 20
"""A file is UTF-8 where at most one in so many of its non-ASCII bytes can't be decoded as that."""


def decode(raw: bytes) -> tuple[str, str]:
    """Decode bytes as UTF-8 (with or without BOM), UTF-16 with BOM, or GB18030.

    GB18030 read as UTF-8 is at fault nearly everywhere, a UTF-8 file with a lost byte in one place.
    Each fault becomes U+FFFD, so that one broken row does not cost the file.

    Returns
    -------
    text : str
        The content without its byte order mark.
    encoding : str
        What it was decoded as.
    """
    if raw.startswith((b"\xff\xfe", b"\xfe\xff")):
        return raw.decode("utf-16", errors="replace"), "utf-16"
    text = raw.decode("utf-8-sig", errors="replace")
    faults = text.count(REPLACEMENT) - raw.count(REPLACEMENT.encode())
    foreign = len(raw) - len(raw.translate(None, bytes(range(128, 256))))
    if faults * _FAULT_SHARE <= foreign:
        return text, "utf-8-sig"
    return raw.decode("gb18030", errors="replace"), "gb18030"
