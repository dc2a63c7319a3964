"""Tell UTF-8 from GB18030."""

from __future__ import annotations

import codecs
from collections.abc import Iterable

REPLACEMENT = "\ufffd"
"""What stands for bytes that can't be decoded."""

_FAULT_SHARE = 20
"""A file is UTF-8 where at most one in so many of its non-ASCII bytes can't be decoded as that."""


def decode(raw: bytes) -> tuple[str, str]:
    """Decode bytes as UTF-8 (with or without BOM), UTF-16 with BOM, or GB18030.

    Each fault becomes U+FFFD, so that one broken row does not cost the file.

    Returns
    -------
    text : str
        The content without its byte order mark.
    encoding : str
        What it was decoded as.
    """
    encoding, _ = tell_encoding([raw])
    return raw.decode(encoding, errors="replace"), encoding


def tell_encoding(blocks: Iterable[bytes]) -> tuple[str, int]:
    """Tell how the content of a file is encoded, without holding all of it.

    GB18030 read as UTF-8 is at fault nearly everywhere, a UTF-8 file with a lost byte in one place.

    Parameters
    ----------
    blocks : iterable of bytes
        The content, cut anywhere.

    Returns
    -------
    encoding : str
        `utf-8-sig`, `utf-16` or `gb18030`.
    size : int
        Bytes of the content.
    """
    decoder = codecs.getincrementaldecoder("utf-8")(errors="replace")
    faults = foreign = size = 0
    wide = False
    for block in blocks:
        wide = wide or size == 0 and block.startswith((b"\xff\xfe", b"\xfe\xff"))
        faults += decoder.decode(block).count(REPLACEMENT) - block.count(REPLACEMENT.encode())
        foreign += len(block) - len(block.translate(None, bytes(range(128, 256))))
        size += len(block)
    if wide:
        return "utf-16", size
    return "utf-8-sig" if faults * _FAULT_SHARE <= foreign else "gb18030", size
