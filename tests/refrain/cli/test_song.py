"""What `refrain create` asks for."""

from __future__ import annotations

from argparse import ArgumentParser

from refrain.cli.options import add_create
from refrain.cli.song import read_song
from refrain.v1.job_service_pb2 import CreateJobRequest


def asked(*arguments: str) -> CreateJobRequest:
    parser = ArgumentParser()
    add_create(parser)
    return read_song(parser.parse_args(["--title", "Song", *arguments]))


def test_providers_a_budget_and_a_stand_in_are_asked_for_by_name() -> None:
    request = asked(
        *("--storyboard", "gemini", "--images", "local", "--clips", "odyssey"),
        *("--budget", "2.50", "--stand-in"),
    )
    assert request == CreateJobRequest(
        title="Song",
        storyboard_provider="gemini",
        image_provider="local",
        clip_provider="odyssey",
        max_cost_usd=2.5,
        on_refusal=CreateJobRequest.STAND_IN,
        video=request.video,
    )


def test_what_is_not_said_is_left_to_the_gateway() -> None:
    request = asked("--artist", "Nobody")
    assert request == CreateJobRequest(
        title="Song", artist="Nobody", video=request.video
    )
