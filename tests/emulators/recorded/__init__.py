"""Bodies that the real services answered, for the tests of what reads them.

Retyped from the test data of vercel/ai (packages/google/src/__fixtures__ and
interactions/__fixtures__; Apache-2.0, Vercel Inc.), where pictures, clips and thought
signatures were cut out already; here a few bytes stand in their place.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

FOLDER = Path(__file__).parent


def recorded(name: str) -> Any:
    """Returns the JSON of a body: `image`, `clip`, `throttled` and so on."""
    return json.loads((FOLDER / f"{name}.json").read_text())
