"""Local servers that speak as the paid providers do, and misbehave when told to.

    with Emulators() as emulators:
        emulators.gemini.knobs.image.throttle = 2
        ...
        await emulators.until(lambda: emulators.log.of("gemini", "image"))

Nothing of the product is in them: the vendors' SDKs and bodies recorded from the real
services say whether they are right (tests/generator/test_emulators.py).
"""

from tests.emulators.emulator import KEYS
from tests.emulators.knobs import ALWAYS
from tests.emulators.ledger import Charge, State
from tests.emulators.log import Exchange
from tests.emulators.lrclib import LrcSong
from tests.emulators.operation import Phase
from tests.emulators.server import NO_TLS, Emulators

__all__ = [
    "ALWAYS",
    "KEYS",
    "NO_TLS",
    "Charge",
    "Emulators",
    "Exchange",
    "LrcSong",
    "Phase",
    "State",
]
