"""Counts of what was noticed while pictures were read, so that one line can report it."""

import hashlib
from collections.abc import MutableMapping

TURNED = "turned by an orientation tag, which is not applied"
FRAMES = "with several frames, of which the first is read"
INKS = "in CMYK, converted without a colour profile"
LUMA = "in colour, reduced to their luma"
COPIES = "equal to another, byte for byte"


class Noticed:
    """Counts pictures by what was noticed of them. A picture that is looked at twice counts once.

    seen: digests of pictures' bytes. Splits that share `seen` find the pictures that are in both.
    """

    def __init__(self, seen: MutableMapping[int, int] | None = None):
        self._seen = {} if seen is None else seen
        self._pictures: dict[str, set[int]] = {}

    def note(self, what: str, where: str) -> None:
        """Count a picture under one of the phrases above."""
        self._pictures.setdefault(what, set()).add(hash(where))

    def content(self, data: bytes, where: str) -> None:
        """Count a picture among the copies if another one had the same bytes."""
        # With eight bytes each, a million pictures take about 100 MB, and the chance of a false pair is 1e-7.
        digest = int.from_bytes(hashlib.blake2b(data, digest_size=8).digest())
        if self._seen.setdefault(digest, hash(where)) != hash(where):
            self.note(COPIES, where)

    def notes(self) -> list[str]:
        """Return what was noticed, such as "12 in CMYK, converted without a colour profile"."""
        return [f"{len(found)} {what}" for what, found in sorted(self._pictures.items())]
