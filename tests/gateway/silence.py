"""Audio in which nothing is heard."""

from __future__ import annotations

import io
import wave


def silence(*, seconds: int) -> bytes:
    """Returns a WAVE file, one channel of 8 bits at 8 kHz."""
    file = io.BytesIO()
    with wave.open(file, "wb") as audio:
        audio.setnchannels(1)
        audio.setsampwidth(1)
        audio.setframerate(8000)
        audio.writeframes(b"\x80" * 8000 * seconds)
    return file.getvalue()
