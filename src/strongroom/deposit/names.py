"""Names that files may have when they cross the boundary: one plain component, the same on every system."""

from __future__ import annotations

import unicodedata

LONGEST = 200
_PUNCTUATION = frozenset(" -_.,()+=@#~&'[]")


def clean(name: str) -> str:
    """The name in composed form (NFC); ValueError, saying why, when it may not cross."""
    try:
        composed = unicodedata.normalize("NFC", name)
        length = len(composed.encode())
    except UnicodeError:
        raise ValueError("its name is not valid UTF-8: rename it") from None
    if "/" in composed or "\\" in composed:
        raise ValueError("it is a path, not a file name: give the name alone, without folders")
    if not composed or composed.startswith("."):
        raise ValueError("its name is empty or begins with a dot: rename it")
    if length > LONGEST:
        raise ValueError(f"its name is longer than {LONGEST} bytes: shorten it")
    wrong = sorted({c for c in composed if not (c.isalnum() or unicodedata.category(c) in ("Mn", "Mc"))} - _PUNCTUATION)
    if wrong:
        shown = ", ".join(f"U+{ord(c):04X}" for c in wrong[:5])
        raise ValueError(f"its name has characters that are not allowed ({shown}): use letters, digits and - _ . space")
    if composed != composed.strip():
        raise ValueError("its name begins or ends with a space: rename it")
    return composed
