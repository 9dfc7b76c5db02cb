"""What the header of a WAV file promises, for a file that was cut short is read without a word by every library."""

from __future__ import annotations

import io
from pathlib import Path

#: Sizes that programs write which did not know the end: 0 and the largest, and SoX's.
_UNKNOWN_SIZES = (0, 0xFFFFFFFF, 0x7FFFF000)


def promised_and_found(source: Path | bytes) -> tuple[int, int] | None:
    """Frames (samples of all channels at one time) that a WAV file should have, and that it has.

    None where a file is no RIFF WAVE, is damaged before its samples, or was streamed, so that its header cannot know.
    """
    with source.open("rb") if isinstance(source, Path) else io.BytesIO(source) as file:
        end = file.seek(0, io.SEEK_END)
        file.seek(0)
        head = file.read(12)
        if head[:4] != b"RIFF" or head[8:] != b"WAVE":
            return None
        frame_size = 0
        while len(head := file.read(8)) == 8:
            size = int.from_bytes(head[4:], "little")
            start = file.tell()
            if head[:4] == b"fmt ":
                frame_size = int.from_bytes(file.read(16)[12:14], "little")
            elif head[:4] == b"data":
                if not frame_size or size in _UNKNOWN_SIZES:
                    return None
                return size // frame_size, min(size, end - start) // frame_size
            file.seek(start + size + size % 2)  # chunks begin at even places
    return None
