"""Settings: what two deployments differ on, read once from the environment."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from refrain.providers import ProviderSettings, read_provider_settings

if TYPE_CHECKING:
    from collections.abc import Mapping


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """One service's settings."""

    database_url: str
    """REFRAIN_DATABASE_URL: the record, `postgresql://…`."""
    nats_url: str
    """REFRAIN_NATS_URL: the doorbells, `nats://…`."""
    storage_url: str
    """REFRAIN_STORAGE_URL: the artifacts, `file:///…` or `s3://…`."""
    grpc_port: int
    """REFRAIN_GRPC_PORT: the gateway's API; 50051."""
    http_port: int
    """REFRAIN_HTTP_PORT: the gateway's page; 8000."""
    provider_slots: int
    """REFRAIN_SLOTS: calls that one worker waits on at the same time; 64."""
    media_slots: int
    """REFRAIN_MEDIA_SLOTS: media processes of one worker; one per core."""
    scratch: str
    """REFRAIN_SCRATCH: a folder for files in the making; the system's own."""
    jobs_per_owner: int | None = None
    """REFRAIN_JOBS_PER_OWNER: jobs of one owner under way at once; any number."""
    providers: ProviderSettings = field(default_factory=ProviderSettings)


class SettingsError(Exception):
    """A setting is missing or wrong; the message names the variable."""


def read_settings(environment: Mapping[str, str] = os.environ) -> Settings:
    """Raises SettingsError for the first setting that is missing or wrong."""
    return Settings(
        database_url=_required(environment, "REFRAIN_DATABASE_URL"),
        nats_url=_required(environment, "REFRAIN_NATS_URL"),
        storage_url=_required(environment, "REFRAIN_STORAGE_URL"),
        grpc_port=_number(environment, "REFRAIN_GRPC_PORT", 50051),
        http_port=_number(environment, "REFRAIN_HTTP_PORT", 8000),
        provider_slots=_number(environment, "REFRAIN_SLOTS", 64),
        media_slots=_number(environment, "REFRAIN_MEDIA_SLOTS", os.cpu_count() or 1),
        jobs_per_owner=(
            _number(environment, "REFRAIN_JOBS_PER_OWNER", 1)
            if environment.get("REFRAIN_JOBS_PER_OWNER")
            else None
        ),
        scratch=environment.get("REFRAIN_SCRATCH", "/tmp/refrain"),  # noqa: S108
        providers=_providers(environment),
    )


def _providers(environment: Mapping[str, str]) -> ProviderSettings:
    try:
        return read_provider_settings(environment)
    except ValueError as err:
        raise SettingsError(str(err)) from err


def _required(environment: Mapping[str, str], name: str) -> str:
    value = environment.get(name, "")
    if not value:
        raise SettingsError(f"{name} is not set.")
    return value


def _number(environment: Mapping[str, str], name: str, default: int) -> int:
    value = environment.get(name) or str(default)
    if not value.isdecimal() or int(value) < 1:
        raise SettingsError(f"{name} must be a whole number from 1; it is {value!r}.")
    return int(value)
