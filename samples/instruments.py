"""Four instruments built from sine waves: a lute, a music box, strings and a flute.

Every sound is mono float64 at RATE, peaks near 1, and begins and ends in silence, so
that sounds can be added up anywhere without a click.
"""

from collections.abc import Sequence
from functools import cache

import numpy as np
import numpy.typing as npt

RATE = 48_000
"""Samples per second."""

Samples = npt.NDArray[np.float64]

_BREATH = np.random.default_rng(1584).standard_normal(RATE * 8)
_BREATH_LEVEL = 0.012


def frequency(pitch: float) -> float:
    """Hertz of a MIDI pitch in equal temperament, A4 = 69 = 440 Hz."""
    return 440.0 * 2 ** ((pitch - 69) / 12)


@cache
def lute(pitch: int) -> Samples:
    """A string plucked at a sixth of its length, left to ring for 3.5 s.

    Partial k of a string plucked at a fraction p has the amplitude sin(pi k p) / k^2
    (Fletcher and Rossing, The Physics of Musical Instruments, chapter 2); 1.5 in
    place of 2 stands for the body, which favours the treble.
    """
    t = _seconds(3.5)
    sound = np.zeros_like(t)
    for k in range(1, 25):
        hertz = frequency(pitch) * k * np.sqrt(1 + 8e-5 * k * k)
        if hertz > 9_000:
            break
        decay = 0.8 + 0.0022 * hertz
        strength = np.sin(np.pi * k / 6) / k**1.5
        sound += strength * np.exp(-decay * t) * np.sin(2 * np.pi * hertz * t)
    return _shaped(sound, attack=0.004, release=0.2)


@cache
def music_box(pitch: int) -> Samples:
    """A struck steel tooth: a pure tone under partials that fade quickly."""
    t = _seconds(2.8)
    sound = np.zeros_like(t)
    partials = ((1.0, 1.0, 1.5), (2.0, 0.3, 2.6), (3.01, 0.14, 5.0), (6.27, 0.1, 14.0))
    for ratio, strength, decay in partials:
        hertz = frequency(pitch) * ratio
        sound += strength * np.exp(-decay * t) * np.sin(2 * np.pi * hertz * t)
    return _shaped(sound, attack=0.003, release=0.3)


@cache
def strings(pitch: int, seconds: float) -> Samples:
    """Three detuned players who swell in slowly and let go over half a second."""
    t = _seconds(seconds + 0.5)
    sound = np.zeros_like(t)
    for player, cents in enumerate((-6.0, 0.0, 7.0)):
        for k in range(1, 9):
            hertz = frequency(pitch + cents / 100) * k
            phase = 2.4 * (player + 1) * k
            sound += np.sin(2 * np.pi * hertz * t + phase) / k**1.8
    return _shaped(sound, attack=min(0.7, seconds / 2), release=0.6)


def flute(phrase: Sequence[tuple[int, float]]) -> Samples:
    """One breath: (pitch, seconds) notes played legato, with a vibrato on long ones."""
    ends = np.cumsum([seconds for _, seconds in phrase])
    t = _seconds(ends[-1] + 0.15)
    note = np.minimum(np.searchsorted(ends, t, side="right"), len(phrase) - 1)
    since = t - np.concatenate(([0.0], ends[:-1]))[note]

    pitch = _smooth(np.array([float(pitch) for pitch, _ in phrase])[note], 0.03)
    depth = np.clip((since - 0.2) / 0.5, 0.0, 1.0)
    vibrato = depth * np.sin(2 * np.pi * 5.1 * t)
    hertz = 440.0 * 2 ** ((pitch + 0.14 * vibrato - 69) / 12)
    phase = 2 * np.pi * np.cumsum(hertz) / RATE

    tongue = 1 - 0.45 * np.exp(-((since / 0.035) ** 2))
    arch = 0.8 + 0.2 * np.sin(np.pi * t / t[-1])
    level = _smooth(tongue, 0.02) * arch * (1 + 0.06 * vibrato)

    sound = np.zeros_like(t)
    for k, strength in enumerate((1.0, 0.42, 0.2, 0.07, 0.035, 0.015)):
        sound += strength * level ** (1 + 0.6 * k) * np.sin((k + 1) * phase)
    sound += _BREATH_LEVEL * _smooth(np.resize(_BREATH, len(t)), 0.0002) * level
    return _shaped(sound, attack=0.07, release=0.22)


def damped(sound: Samples, seconds: float) -> Samples:
    """A sound whose string is touched after some seconds and falls silent in 0.25 s."""
    cut = sound[: round((seconds + 0.25) * RATE)]
    return _shaped(cut, attack=0.0, release=0.25)


def _seconds(duration: float) -> Samples:
    return np.arange(round(duration * RATE)) / RATE


def _shaped(sound: Samples, *, attack: float, release: float) -> Samples:
    """Scales to a peak of 1, then fades both ends along a raised cosine."""
    shaped = sound / np.max(np.abs(sound))
    for seconds, edge in ((attack, slice(None)), (release, slice(None, None, -1))):
        count = min(round(seconds * RATE), len(shaped))
        ramp = 0.5 - 0.5 * np.cos(np.pi * np.arange(count) / max(count, 1))
        shaped[edge][:count] *= ramp
    return shaped


def _smooth(signal: Samples, seconds: float) -> Samples:
    """A running mean over a window of some seconds, edges held."""
    half = max(round(seconds * RATE / 2), 1)
    padded = np.concatenate(([0.0], np.cumsum(np.pad(signal, half, mode="edge"))))
    return (padded[2 * half :] - padded[: -2 * half])[: len(signal)] / (2 * half)
