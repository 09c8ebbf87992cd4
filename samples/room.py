"""The room the music sounds in: a stereo mix of fixed length, and its reverberation."""

import numpy as np
from instruments import RATE, Samples

_PEAK = 10 ** (-1 / 20)
"""-1 dBFS, which leaves room for what a lossy encoder adds."""
_WET = 0.22
_BANDS = ((150, 900, 2.0), (900, 3_500, 1.5), (3_500, 9_000, 0.7))
"""From and to, in hertz, and the seconds in which such sound decays by 60 dB."""


class Room:
    """Collects sounds, then gives them back as they are heard in a small hall."""

    def __init__(self, *, seconds: float) -> None:
        self._mix: Samples = np.zeros((2, round(seconds * RATE)))

    def place(
        self, sound: Samples, start: float, *, gain: float, pan: float = 0.0
    ) -> None:
        """Adds a mono sound at `start` s, `pan` from -1 (left) to 1 (right).

        What goes on past the end of the mix is not heard.
        """
        at = round(start * RATE)
        heard = sound[: self._mix.shape[1] - at] * gain
        angle = (pan + 1) * np.pi / 4
        self._mix[0, at : at + len(heard)] += np.cos(angle) * heard
        self._mix[1, at : at + len(heard)] += np.sin(angle) * heard

    def recording(self, *, fade: float) -> Samples:
        """All that was placed, shape (2, samples), peak at -1 dBFS.

        The last `fade` seconds sink to silence. The two sides echo differently, which
        is what makes the room sound wide.
        """
        samples = self._mix.shape[1]
        echo = _echo()
        size = 1 << (samples + echo.shape[1]).bit_length()
        spectrum = np.fft.rfft(self._mix, size) * np.fft.rfft(echo, size)
        audio = self._mix + _WET * np.fft.irfft(spectrum, size)[:, :samples]
        audio -= audio.mean(axis=1, keepdims=True)
        t = np.arange(round(fade * RATE)) / (fade * RATE)
        audio[:, -len(t) :] *= 0.5 + 0.5 * np.cos(np.pi * t)
        return audio * (_PEAK / np.abs(audio).max())


def _echo() -> Samples:
    """Impulse response of unit energy: noise that decays, treble first, after 20 ms."""
    t = np.arange(round(2.2 * RATE)) / RATE
    noise = np.fft.rfft(np.random.default_rng(1761).standard_normal((2, len(t))))
    hertz = np.fft.rfftfreq(len(t), 1 / RATE)
    echo = np.zeros((2, len(t)))
    for low, high, seconds in _BANDS:
        band = np.fft.irfft(noise * ((hertz >= low) & (hertz < high)), len(t))
        echo += band * 10 ** (-3 * t / seconds)
    echo = np.pad(echo, ((0, 0), (round(0.02 * RATE), 0)))
    return echo / np.sqrt((echo**2).sum(axis=1, keepdims=True))
