"""A digest of a whole file in the file itself, so that no flipped bit of it is taken for what was written.

The file's format has room for a text: it is written with a blank in it, and the digest of all its bytes then takes the
blank's place.
"""

from __future__ import annotations

import hashlib

_PREFIX, _DIGITS = b"sha256=", b"0" * 64

#: What a file that is to be sealed has somewhere as text, once.
BLANK = (_PREFIX + _DIGITS).decode()


def seal(content: bytes) -> bytes:
    """Put the digest of a file in place of its blank."""
    at = content.rindex(_PREFIX + _DIGITS) + len(_PREFIX)
    return content[:at] + hashlib.sha256(content).hexdigest().encode() + content[at + len(_DIGITS) :]


def is_sealed(content: bytes) -> bool:
    """Whether every byte of a file is as it was when it was sealed."""
    at = content.rfind(_PREFIX) + len(_PREFIX)
    digest = hashlib.sha256(content[:at])
    digest.update(_DIGITS)
    digest.update(content[at + len(_DIGITS) :])
    return content[at : at + len(_DIGITS)] == digest.hexdigest().encode()
