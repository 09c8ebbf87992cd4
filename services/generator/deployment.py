"""Deployment: the adapters of the providers that this process has keys for."""

from __future__ import annotations

from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar

import httpx

from refrain.errors import TaskError
from refrain.providers import LOCAL
from services.generator.lyrics.lrclib import LrclibClient
from services.generator.providers.arrivals import Arrivals
from services.generator.providers.odyssey import OdysseyClips

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Mapping

    from refrain.providers import ProviderSettings
    from refrain.v1.job_service_pb2 import CreateJobRequest
    from services.generator.providers.local.renderer import LocalRenderer
    from services.generator.providers.provider import (
        ClipProvider,
        ImageProvider,
        StoryboardProvider,
    )

T = TypeVar("T")

_TIMEOUT = httpx.Timeout(120, connect=5)
_LIMITS = httpx.Limits(max_connections=None, max_keepalive_connections=32)
"""How many calls there are is the record's to say: see `refrain.limits`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Providers:
    """Who makes what, by the names in requests; the local renderer is always here."""

    settings: ProviderSettings
    local: LocalRenderer
    storyboards: Mapping[str, StoryboardProvider]
    images: Mapping[str, ImageProvider]
    clips: Mapping[str, ClipProvider]
    lrclib: LrclibClient | None

    def storyboard(self, name: str) -> StoryboardProvider | None:
        """Returns None for the local one, who takes the lines. Raises TaskError."""
        return None if name == LOCAL else _named(name, self.storyboards)

    def image(self, name: str) -> ImageProvider:
        """Raises TaskError."""
        return self.local if name == LOCAL else _named(name, self.images)

    def clip(self, name: str) -> ClipProvider | None:
        """Returns None for the local one: it starts no operation. Raises TaskError."""
        return None if name == LOCAL else _named(name, self.clips)

    def waits_for_others(self, request: CreateJobRequest) -> bool:
        """True if segments mostly wait for calls, and not for a core."""
        return {request.image_provider, request.clip_provider} != {LOCAL}

    def check(self, request: CreateJobRequest) -> None:
        """Raises TaskError unless all that the request names are here."""
        self.storyboard(request.storyboard_provider)
        self.image(request.image_provider)
        self.clip(request.clip_provider)


@asynccontextmanager
async def providers_of(
    settings: ProviderSettings, local: LocalRenderer
) -> AsyncGenerator[Providers]:
    """Builds what there are keys for, and closes its connections in the end."""
    transport = Arrivals(httpx.AsyncHTTPTransport(limits=_LIMITS))
    async with httpx.AsyncClient(timeout=_TIMEOUT, transport=transport) as http:
        storyboards: dict[str, StoryboardProvider] = {}
        images: dict[str, ImageProvider] = {}
        clips: dict[str, ClipProvider] = {}
        if settings.gemini_api_key:
            storyboards["gemini"], images["gemini"], clips["omni"] = _of_google(
                settings, http
            )
        if settings.odyssey_api_key:
            clips["odyssey"] = OdysseyClips(
                http,
                base_url=settings.odyssey_url,
                api_key=settings.odyssey_api_key,
                usd_per_second=settings.odyssey_usd_per_second,
            )
        if settings.vertex_api_key or settings.vertex_project:
            clips["veo"] = _of_vertex(settings, http)
        lrclib = (
            LrclibClient(http, settings.lrclib_url) if settings.lrclib_url else None
        )
        yield Providers(
            settings=settings,
            local=local,
            storyboards=storyboards,
            images=images,
            clips=clips,
            lrclib=lrclib,
        )


# Google's SDK takes most of a second to load, which only those wait for who use it.


def _of_google(
    settings: ProviderSettings, http: httpx.AsyncClient
) -> tuple[StoryboardProvider, ImageProvider, ClipProvider]:
    from services.generator.providers.gemini import GeminiImages, GeminiStoryboards
    from services.generator.providers.google import GEMINI_URL, gemini_client
    from services.generator.providers.omni import OmniClips

    key, url = settings.gemini_api_key, settings.gemini_base_url or GEMINI_URL
    gemini = gemini_client(key, url, http)
    return (
        GeminiStoryboards(gemini, model=settings.storyboard_model),
        GeminiImages(gemini, model=settings.image_model),
        OmniClips(http, model=settings.omni_model, api_key=key, base_url=url),
    )


def _of_vertex(settings: ProviderSettings, http: httpx.AsyncClient) -> ClipProvider:
    from services.generator.providers.google import vertex_client
    from services.generator.providers.veo import VeoClips

    vertex = vertex_client(
        http,
        api_key=settings.vertex_api_key or None,
        project=settings.vertex_project or None,
        location=settings.vertex_location,
        base_url=settings.vertex_base_url or None,
    )
    return VeoClips(vertex, model=settings.veo_model)


def _named(name: str, providers: Mapping[str, T]) -> T:
    if name not in providers:
        raise TaskError(
            f"this generator has no key for {name}; give it one, or create the job "
            "with another provider",
            reason="PROVIDER_NOT_CONFIGURED",
            retryable=True,
        )
    return providers[name]
