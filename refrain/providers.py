"""Which providers a deployment has, by the keys in its environment."""

from __future__ import annotations

from dataclasses import dataclass, field
from decimal import Decimal, InvalidOperation
from typing import TYPE_CHECKING

from refrain.limits import DEFAULT_LIMITS, parse_limits

if TYPE_CHECKING:
    from collections.abc import Mapping

    from refrain.limits import Limit

LOCAL = "local"


@dataclass(frozen=True, slots=True, kw_only=True)
class ProviderSettings:
    """Keys, addresses and models. Without a key its provider is not offered."""

    gemini_api_key: str = ""
    """GEMINI_API_KEY: storyboards, images and Omni clips."""
    gemini_base_url: str = ""
    """GOOGLE_GEMINI_BASE_URL; empty: Google's own."""
    storyboard_model: str = "gemini-3.8-flash"
    """REFRAIN_STORYBOARD_MODEL."""
    image_model: str = "gemini-3.1-flash-image"
    """REFRAIN_IMAGE_MODEL."""
    omni_model: str = "gemini-omni-1.1-flash"
    """REFRAIN_OMNI_MODEL."""
    vertex_project: str = ""
    """GOOGLE_CLOUD_PROJECT: Veo clips, by the application default credentials."""
    vertex_location: str = "us-central1"
    """GOOGLE_CLOUD_LOCATION."""
    vertex_api_key: str = ""
    """GOOGLE_CLOUD_API_KEY: Veo clips, by an express key instead of a project."""
    vertex_base_url: str = ""
    """GOOGLE_VERTEX_BASE_URL; empty: Google's own."""
    veo_model: str = "veo-3.1-generate-001"
    """REFRAIN_VEO_MODEL."""
    odyssey_api_key: str = ""
    """ODYSSEY_API_KEY: Odyssey clips."""
    odyssey_url: str = "https://api.odyssey.ml"
    """ODYSSEY_API_URL."""
    odyssey_usd_per_second: Decimal = Decimal(0)
    """REFRAIN_ODYSSEY_USD_PER_SECOND: by your plan; there is no list price."""
    lrclib_url: str = ""
    """LRCLIB_URL: where lyrics are looked up; empty: nowhere."""
    limits: Mapping[str, Limit] = field(default_factory=lambda: DEFAULT_LIMITS)
    """REFRAIN_LIMITS: calls at once and a minute, such as `gemini=16,300 omni=8,60`."""

    @property
    def storyboard_providers(self) -> tuple[str, ...]:
        """Who can write storyboards; the first is the default."""
        return ("gemini", LOCAL) if self.gemini_api_key else (LOCAL,)

    @property
    def image_providers(self) -> tuple[str, ...]:
        """Who can make images; the first is the default."""
        return self.storyboard_providers

    @property
    def clip_providers(self) -> tuple[str, ...]:
        """Who can make clips; the first is the default.

        Veo never is: no cancel stops it, and many have a project for other things.
        """
        offered = {
            "omni": self.gemini_api_key,
            "odyssey": self.odyssey_api_key,
            LOCAL: LOCAL,
            "veo": self.vertex_project or self.vertex_api_key,
        }
        return tuple(name for name, key in offered.items() if key)

    @property
    def looks_up_lyrics(self) -> bool:
        return bool(self.lrclib_url)


_VARIABLES = {
    "gemini_api_key": "GEMINI_API_KEY",
    "gemini_base_url": "GOOGLE_GEMINI_BASE_URL",
    "storyboard_model": "REFRAIN_STORYBOARD_MODEL",
    "image_model": "REFRAIN_IMAGE_MODEL",
    "omni_model": "REFRAIN_OMNI_MODEL",
    "vertex_project": "GOOGLE_CLOUD_PROJECT",
    "vertex_location": "GOOGLE_CLOUD_LOCATION",
    "vertex_api_key": "GOOGLE_CLOUD_API_KEY",
    "vertex_base_url": "GOOGLE_VERTEX_BASE_URL",
    "veo_model": "REFRAIN_VEO_MODEL",
    "odyssey_api_key": "ODYSSEY_API_KEY",
    "odyssey_url": "ODYSSEY_API_URL",
}


def read_provider_settings(environment: Mapping[str, str]) -> ProviderSettings:
    """Raises ValueError, which names the variable that is wrong."""
    texts = {
        field: environment[variable]
        for field, variable in _VARIABLES.items()
        if environment.get(variable)
    }
    price = environment.get("REFRAIN_ODYSSEY_USD_PER_SECOND") or "0"
    try:
        usd_per_second = Decimal(price)
    except InvalidOperation:
        usd_per_second = Decimal(-1)
    if not usd_per_second.is_finite() or usd_per_second < 0:
        raise ValueError(
            f"REFRAIN_ODYSSEY_USD_PER_SECOND must be an amount; it is {price!r}."
        )
    try:
        limits = parse_limits(environment.get("REFRAIN_LIMITS", ""))
    except ValueError as err:
        raise ValueError(f"REFRAIN_LIMITS: {err}") from err
    return ProviderSettings(
        **texts,
        odyssey_usd_per_second=usd_per_second,
        lrclib_url=environment.get("LRCLIB_URL", "https://lrclib.net"),
        limits={**DEFAULT_LIMITS, **limits},
    )
