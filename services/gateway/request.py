"""Checks a CreateJobRequest, all fields at once, and fills in its defaults."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from datetime import timedelta
from decimal import ROUND_DOWN, Decimal
from typing import TYPE_CHECKING

from google.protobuf.json_format import MessageToDict

from refrain.errors import InvalidRequest
from refrain.lyrics import Lyrics, LyricsError, parse_lyrics, song_duration
from refrain.store import NewJob, Upload
from refrain.storyboard import LONGEST_SONG, frames_between
from refrain.v1.job_service_pb2 import CreateJobRequest
from services.gateway.fields import MAX_REQUEST_ID

if TYPE_CHECKING:
    from google.protobuf.duration_pb2 import Duration

    from refrain.providers import ProviderSettings

MAX_NAME = 200
"""Characters of a title, an artist, an album, a style."""
MAX_LABELS = 32
MAX_LABEL = 64
"""Characters of a label's key, and of its value."""
MIN_SIDE, MAX_SIDE = 128, 3840
"""Pixels of a video's width, and of its height."""
MAX_FRAME_PIXELS = 3840 * 2160
MAX_FRAME_RATE = 60
DEFAULT_MAX_IN_FLIGHT = 4
MAX_IN_FLIGHT = 32
MAX_PRIORITY = 10
"""The lowest is as far below 0."""
LONGEST_CANCEL_AFTER = timedelta(days=30)
LARGEST_BUDGET = 1_000_000
"""US dollars."""

_LATER = "is not offered by this version; leave it unset"


@dataclass(slots=True)
class _Check:
    """Collects what is wrong, field by field."""

    request: CreateJobRequest
    providers: ProviderSettings
    violations: dict[str, str] = field(default_factory=dict[str, str])

    def refuse(self, name: str, why: str) -> None:
        self.violations.setdefault(name, why)

    def text(self, name: str, longest: int) -> None:
        value: str = getattr(self.request, name)
        if "\0" in value:
            self.refuse(name, "must not hold NUL bytes")
        elif len(value) > longest:
            self.refuse(name, f"has {len(value):,} characters; {longest:,} are allowed")

    def number(self, name: str, value: int, lowest: int, highest: int) -> None:
        if not lowest <= value <= highest:
            self.refuse(
                name, f"must be from {lowest:,} to {highest:,}; it is {value:,}"
            )

    def span(self, name: str, value: Duration, longest: timedelta) -> None:
        """Longer spans than a century would not fit a timedelta."""
        century = 100 * 365 * 24 * 3600
        fits = 0 <= value.seconds <= century and 0 <= value.nanos < 1_000_000_000
        if not fits or not timedelta(0) < value.ToTimedelta() <= longest:
            self.refuse(name, f"must be longer than 0 and at most {longest}")


def check_request(
    request: CreateJobRequest, upload: Upload | None, providers: ProviderSettings
) -> CreateJobRequest:
    """Returns the request with its defaults filled in, and how long the song is.

    `upload` is what the owner's audio_uri names; without it only the lyrics may tell
    the song_duration. Raises InvalidRequest with every field that is wrong, and what
    to do.
    """
    check = _Check(request, providers)
    _check_texts(check)
    _check_providers(check)
    _check_later(check)
    filled = _fill(request, providers)
    _check_video(check, filled)
    _check_limits(check)
    duration = _check_song(check, upload, filled.video.frame_rate)
    if check.violations:
        raise InvalidRequest(check.violations)
    if duration is not None:
        filled.song_duration.FromTimedelta(duration)
    return filled


def new_job(request: CreateJobRequest, filled: CreateJobRequest, owner: str) -> NewJob:
    """Returns what to store of a request as it was sent, and as it was checked."""
    return NewJob(
        owner=owner,
        request_id=request.request_id or None,
        request=MessageToDict(filled),
        digest=hashlib.sha256(request.SerializeToString(deterministic=True)).digest(),
        title=request.title.strip(),
        artist=request.artist.strip(),
        labels=dict(request.labels),
        priority=request.priority,
        max_in_flight=filled.max_in_flight,
        cancel_after=(
            request.cancel_after.ToTimedelta()
            if request.HasField("cancel_after")
            else None
        ),
        max_cost_usd=_budget(request),
    )


def _budget(request: CreateJobRequest) -> Decimal | None:
    """To a hundredth of a cent, as prices are."""
    if not request.max_cost_usd:
        return None
    return Decimal(repr(request.max_cost_usd)).quantize(Decimal("0.0001"), ROUND_DOWN)


def _fill(request: CreateJobRequest, providers: ProviderSettings) -> CreateJobRequest:
    filled = CreateJobRequest()
    filled.CopyFrom(request)
    filled.storyboard_provider = (
        request.storyboard_provider or providers.storyboard_providers[0]
    )
    filled.image_provider = request.image_provider or providers.image_providers[0]
    filled.clip_provider = request.clip_provider or providers.clip_providers[0]
    filled.max_in_flight = request.max_in_flight or DEFAULT_MAX_IN_FLIGHT
    filled.video.width = request.video.width or 1280
    filled.video.height = request.video.height or 720
    filled.video.frame_rate = request.video.frame_rate or 24
    return filled


def _check_texts(check: _Check) -> None:
    if not check.request.title.strip():
        check.refuse("title", "is empty; give the title of the song")
    for name in ("title", "artist", "album", "style"):
        check.text(name, MAX_NAME)
    check.text("request_id", MAX_REQUEST_ID)
    if len(check.request.labels) > MAX_LABELS:
        check.refuse("labels", f"are more than {MAX_LABELS}")
    for key, value in check.request.labels.items():
        if max(len(key), len(value)) > MAX_LABEL or "\0" in key + value:
            why = f"{key[:MAX_LABEL]!r} is longer than {MAX_LABEL} characters, or NUL"
            check.refuse("labels", why)


def _check_providers(check: _Check) -> None:
    request, providers = check.request, check.providers
    for name, asked, offered in (
        (
            "storyboard_provider",
            request.storyboard_provider,
            providers.storyboard_providers,
        ),
        ("image_provider", request.image_provider, providers.image_providers),
        ("clip_provider", request.clip_provider, providers.clip_providers),
    ):
        if asked and asked not in offered:
            choice = " or ".join(offered)
            check.refuse(name, f"{asked[:40]!r} is not here; use {choice}")


def _check_later(check: _Check) -> None:
    request = check.request
    later = {
        "video.crossfade": request.video.HasField("crossfade"),
        "video.burn_captions": request.video.burn_captions,
        "video.normalize_loudness": request.video.normalize_loudness,
        "on_cancel": request.on_cancel == CreateJobRequest.DELETE,
        "notify": request.HasField("notify"),
    }
    for name, asked in later.items():
        if asked:
            check.refuse(name, _LATER)


def _check_video(check: _Check, filled: CreateJobRequest) -> None:
    video = filled.video
    for name, pixels in (("width", video.width), ("height", video.height)):
        check.number(f"video.{name}", pixels, MIN_SIDE, MAX_SIDE)
        if pixels % 2:
            check.refuse(f"video.{name}", f"must be even; it is {pixels}")
    if video.width * video.height > MAX_FRAME_PIXELS:
        check.refuse("video", "must not have more pixels than 3,840 x 2,160")
    check.number("video.frame_rate", video.frame_rate, 1, MAX_FRAME_RATE)


def _check_limits(check: _Check) -> None:
    request = check.request
    check.number("max_in_flight", request.max_in_flight, 0, MAX_IN_FLIGHT)
    check.number("priority", request.priority, -MAX_PRIORITY, MAX_PRIORITY)
    if request.HasField("cancel_after"):
        check.span("cancel_after", request.cancel_after, LONGEST_CANCEL_AFTER)
    if not 0 <= request.max_cost_usd <= LARGEST_BUDGET:
        check.refuse("max_cost_usd", f"must be from 0 to {LARGEST_BUDGET:,.0f}")
    elif request.max_cost_usd and not _budget(request):
        check.refuse("max_cost_usd", "is less than a hundredth of a cent; give more")


def _check_song(
    check: _Check, upload: Upload | None, frame_rate: int
) -> timedelta | None:
    """Returns how long the song is; None if only its lyrics will tell."""
    request = check.request
    if request.audio_uri and upload is None:
        why = "is not yours; pass the URI that UploadAudio returned"
        check.refuse("audio_uri", why)
    asked = None
    if request.HasField("song_duration"):
        check.span("song_duration", request.song_duration, LONGEST_SONG)
        if "song_duration" in check.violations:
            return None
        asked = request.song_duration.ToTimedelta()
    lyrics = _read_lyrics(check)
    if lyrics is not None:
        duration = song_duration(lyrics, upload and upload.duration, asked)
    else:
        duration = upload.duration if upload else asked
    if duration is None:
        if request.instrumental:
            check.refuse("song_duration", "give it, or audio: there are no lyrics")
        return None
    if duration > LONGEST_SONG:
        check.refuse("lyrics", f"last {duration}; songs of up to 20 minutes are taken")
    if frames_between(timedelta(0), duration, max(frame_rate, 1))[1] < 1:
        field = "audio_uri" if upload else "song_duration"
        check.refuse(field, f"{duration} is shorter than one frame")
    return duration


def _read_lyrics(check: _Check) -> Lyrics | None:
    request = check.request
    if request.instrumental:
        if request.lyrics:
            check.refuse("lyrics", "must be empty for an instrumental song")
        return None
    if not request.lyrics.strip():
        if not check.providers.looks_up_lyrics and not request.audio_uri:
            why = "are empty and not looked up here; give them, or set instrumental"
            check.refuse("lyrics", why)
        return None
    try:
        return parse_lyrics(request.lyrics)
    except LyricsError as err:
        check.refuse("lyrics", str(err))
        return None
