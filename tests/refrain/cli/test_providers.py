"""The command line against a system whose providers are emulated."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest

from tests.emulators import Emulators
from tests.emulators.lrclib import LrcSong
from tests.eventually import eventually
from tests.refrain.cli.conftest import running

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.emulators.knobs import ClipKnobs
    from tests.refrain.cli.conftest import Refrain

SONG = LrcSong(
    title="A Found Song",
    artist="Nobody",
    duration=8,
    synced="[00:00.50]One line\n[00:04.00]Two lines\n",
)
FOUND = ("--title", SONG.title, "--artist", SONG.artist, "--size", "320x180")
OMNI = ("--storyboard", "local", "--images", "local", "--clips", "omni")


pytestmark = pytest.mark.long


@pytest.fixture(scope="module")
def emulators() -> Iterator[Emulators]:
    with Emulators() as emulators:
        emulators.lrclib.songs.append(SONG)
        yield emulators


@pytest.fixture
def clips(emulators: Emulators) -> Iterator[ClipKnobs]:
    """How clips of Omni go; as ever again when the test is over."""
    clips = emulators.gemini.knobs.clip
    yield clips
    clips.turn({"hold": "", "refuse": 0})


@pytest.fixture(scope="module")
def shop(emulators: Emulators) -> Iterator[Refrain]:
    with running(emulators.environment()) as refrain:
        yield refrain


async def test_the_receipt_says_that_the_provider_stopped_and_what_that_saves(
    shop: Refrain, emulators: Emulators, clips: ClipKnobs
) -> None:
    clips.hold = "processing"
    job_id = shop.json("create", *FOUND, *OMNI)["jobId"]
    await eventually(lambda: emulators.log.of("gemini", "look"), within=30)
    said = shop.run("cancel", job_id).stdout.splitlines()
    assert said[0] == "A Found Song: cancelled"

    def is_stopped() -> bool:
        shown = shop.run("show", job_id).stdout
        return re.search(r"^providers +\d stopped$", shown, re.MULTILINE) is not None

    await eventually(is_stopped)
    cost = shop.json("show", job_id)["job"]["cost"]
    assert cost["avoidedProbablyUsd"] > 0
    assert cost["spentUsd"] == cost["unknownUsd"] == 0
    assert "omni: confirmed" in shop.run("events", job_id).stdout


async def test_a_dry_run_says_what_a_cancel_would_save(
    shop: Refrain, emulators: Emulators, clips: ClipKnobs
) -> None:
    clips.hold = "processing"
    job_id = shop.json("create", *FOUND, *OMNI, "--max-in-flight", "1")["jobId"]
    await eventually(lambda: emulators.log.of("gemini", "look"), within=30)
    dry_run = ("cancel", "--text", SONG.title, "--dry-run")
    foreseen = shop.json(*dry_run)
    shown = shop.json("show", job_id)
    assert foreseen["avoidableUsd"] == shown["job"]["cost"]["avoidableUsd"] > 0
    flying, waiting = shown["segments"]
    assert flying["inFlightUsd"] == flying["estimateUsd"] == foreseen["inFlightUsd"]
    assert (flying["status"], waiting["status"]) == ("RUNNING", "QUEUED")
    saved, in_flight = foreseen["avoidableUsd"], foreseen["inFlightUsd"]
    assert shop.run(*dry_run).stdout.splitlines()[-1] == (
        f"would save ${saved:.4f} at most; ${in_flight:.4f} is in flight, "
        "$0.0000 of it cannot be stopped"
    )
    shop.run("cancel", job_id)


def test_a_preview_says_what_is_known_before_the_lyrics_are(shop: Refrain) -> None:
    known = shop.run("create", *FOUND, *OMNI, "--duration", "8", "--preview").stdout
    assert "are looked up when the job runs" in known
    assert re.search(r"^estimate +\$0\.2400 at list prices$", known, re.MULTILINE)
    unknown = shop.run("create", *FOUND, *OMNI, "--preview").stdout.splitlines()
    assert unknown[0].split() == ["segments", "0"]
    assert unknown[-1].endswith("not known before the lyrics are")


def test_a_job_that_would_pass_its_budget_is_cancelled_for_it(shop: Refrain) -> None:
    done = shop.run("create", *FOUND, *OMNI, "--budget", "0.01", "--watch")
    assert done.returncode == 1
    assert "Job cancelled: budget reached" in done.stderr


def test_the_local_renderer_stands_in_for_what_is_refused(
    shop: Refrain, clips: ClipKnobs
) -> None:
    clips.refuse = 2
    done = shop.run("create", *FOUND, *OMNI, "--stand-in", "--watch")
    assert clips.refuse == 0
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[-1].startswith("A Found Song: completed")
