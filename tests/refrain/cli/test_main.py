"""The command line against a whole system that `refrain up` runs."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING
from uuid import uuid4

import pytest

from refrain.cli.__main__ import main
from refrain.local.ports import free_port
from tests.refrain.cli.conftest import LONG_SONG

if TYPE_CHECKING:
    from tests.refrain.cli.conftest import Refrain

ROOT = Path(__file__).parents[3]
SMALL = ("--size", "320x180")
SHORT_SONG = "[ti:A Short Song]\n[ar:Nobody]\n[00:00.50]One line\n[00:02.00]Two lines\n"


def test_a_song_is_created_watched_and_downloaded(
    refrain: Refrain, tmp_path: Path
) -> None:
    job_id = refrain.create(SHORT_SONG)
    watched = refrain.run("watch", job_id, "--json")
    assert watched.returncode == 0, watched.stderr
    job = [json.loads(line) for line in watched.stdout.splitlines()][-1]["job"]
    assert (job["status"], job["title"], job["artist"]) == (
        "COMPLETED",
        "A Short Song",
        "Nobody",
    )
    paths = refrain.json("download", job_id, "--to", str(tmp_path / "made"))
    assert {path.name for path in (tmp_path / "made").iterdir()} == {
        "video.mp4",
        "poster.jpg",
        "captions.vtt",
    }
    assert Path(paths["video"]).stat().st_size == int(job["video"]["sizeBytes"])
    assert Path(paths["captions"]).read_text().startswith("WEBVTT")


def test_create_uploads_the_audio_and_takes_its_length(refrain: Refrain) -> None:
    audio = str(ROOT / "samples/twinkle.m4a")
    options = ("--audio", audio, "--instrumental", "--title", "Sung", *SMALL)
    job = refrain.json("create", *options)
    with refrain.watching(job["jobId"]) as events:
        assert any(event["job"]["segmentsTotal"] for event in events)
    shown = refrain.json("show", job["jobId"])
    assert shown["segments"][-1]["endOffset"].startswith("32.9")


def test_list_finds_a_job_by_its_title_and_its_status(refrain: Refrain) -> None:
    title = f"Song {uuid4()}"
    options = ("--instrumental", "--duration", "60", "--label", "for=list")
    job_id = refrain.json("create", "--title", title, *options)["jobId"]
    refrain.json("cancel", job_id)
    found = refrain.json("list", "--text", title, "--status", "cancelled")
    assert [job["jobId"] for job in found["jobs"]] == [job_id]
    assert found["jobs"][0]["labels"] == {"for": "list"}
    assert refrain.json("list", "--text", title, "--status", "completed")["jobs"] == []
    (line,) = refrain.run("list", "--text", title).stdout.splitlines()
    assert line.split("\t")[:2] == [job_id, "cancelled"]


def test_cancel_waits_for_the_stop_and_prints_the_receipt(
    refrain: Refrain, long_job: str
) -> None:
    with refrain.watching(long_job) as events:
        assert any(event["job"]["segmentsCompleted"] for event in events)
    said = refrain.run("cancel", long_job, "--reason", "wrong song").stdout
    job = refrain.json("show", long_job)["job"]
    receipt = job["cancellation"]
    assert job["status"] == "CANCELLED"
    assert receipt["reason"] == "wrong song"
    assert receipt["tasksAborted"] >= 1
    lines = said.splitlines()
    assert lines[0] == "Greensleeves: cancelled"
    assert lines[2].split() == ["reason", "wrong", "song"]
    assert lines[4].startswith(
        f"tasks         {receipt['tasksSkipped']} skipped, "
        f"{receipt['tasksAborted']} aborted, "
    )
    kept, of_all = job["segmentsCompleted"], job["segmentsTotal"]
    assert lines[5] == f"kept          {kept} of {of_all} segments"
    assert set(lines[1:]) <= set(refrain.run("show", long_job).stdout.splitlines())


def test_a_preview_shows_the_cut_and_creates_nothing(refrain: Refrain) -> None:
    title = f"Song {uuid4()}"
    song = ("create", "--preview", "--lyrics", str(LONG_SONG), "--title", title)
    shown = refrain.json(*song)
    assert shown["estimateUsd"] == 0
    *lines, segments, length, estimate = refrain.run(*song).stdout.splitlines()
    assert segments.split() == ["segments", str(len(shown["segments"]))]
    assert length.split() == ["length", "122.86", "s"]
    assert estimate.split(maxsplit=1) == ["estimate", "$0.0000 at list prices"]
    assert [line.split("\t")[0] for line in lines] == [
        str(segment["position"]) for segment in shown["segments"]
    ]
    assert lines[-1].split("\t")[2] == "122.86"
    assert "Alas, my love" in lines[1].split("\t")[-1]
    assert refrain.json("list", "--text", title)["jobs"] == []


def test_one_request_id_makes_one_job(refrain: Refrain) -> None:
    same = ("--instrumental", "--duration", "4", "--request-id", str(uuid4()), *SMALL)
    first = refrain.json("create", "--title", "Once", *same)
    again = refrain.json("create", "--title", "Once", *same)
    assert again["jobId"] == first["jobId"]
    other = refrain.run("create", "--title", "Twice", *same)
    assert other.returncode == 1
    assert other.stderr.startswith("refrain: request_id ")


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (["create", "--instrumental", "--duration", "9"], "title: is empty"),
        (["create", "--title", "A"], "lyrics: are empty and not looked up here"),
        (["create", "--title", "A", "--lyrics", "-"], "no lyrics in -; leave --lyrics"),
        (["create", "--title", "A", "--clips", "veo"], "'veo' is not here; use local"),
        (["create", "--title", "A", "--budget", "1e7"], "max_cost_usd: must be from 0"),
        (["create", "--title", "A", "--lyrics", "/no/such"], "/no/such: No such file"),
        (["create", "--title", "A", "--audio", "/"], "/: Is a directory"),
        (["create", "--title", "A", "--audio", __file__], "chunk: "),
        (["create", "--title", "A", "--lyrics", sys.executable], "is not UTF-8 text"),
        (["create", "--title", "A", "--priority", "99999999999"], "Value out of range"),
        (["create", "--size", "321x180"], "video.width: must be even"),
        (["watch", "me"], "'me' is no job id"),
        (["show", str(uuid4())], "There is no job"),
        (["cancel", str(uuid4())], "There is no job"),
        (["download", str(uuid4())], "There is no job"),
    ],
)
def test_bad_input_is_answered_in_one_line(
    refrain: Refrain, arguments: list[str], complaint: str
) -> None:
    done = refrain.run(*arguments)
    assert done.returncode == 1
    assert done.stdout == ""
    (line,) = done.stderr.splitlines()
    assert line.startswith("refrain: ")
    assert complaint in line


@pytest.mark.parametrize(
    "arguments",
    [
        [],
        ["cancel"],
        ["cancel", "--all", "--text", "song"],
        ["cancel", str(uuid4()), "--all"],
        ["cancel", str(uuid4()), "--dry-run"],
        ["pause"],
        ["wait", "me", "--timeout", "soon"],
        ["create", "--size", "large"],
        ["create", "--cancel-after", "soon"],
        ["create", "--cancel-after", "1e300"],
        ["create", "--label", "unequal"],
        ["create", "--budget", "0"],
        ["create", "--budget", "nan"],
        ["create", "--preview", "--watch"],
        ["list", "--status", "happy"],
        ["list", "--limit", "0"],
    ],
)
def test_what_is_no_command_exits_with_2(
    arguments: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as ended:
        main(arguments)
    assert ended.value.code == 2
    assert "usage: refrain" in capsys.readouterr().err


def test_a_job_that_cannot_be_watched_hides_none_that_can(refrain: Refrain) -> None:
    job_id, unknown = refrain.create(SHORT_SONG), str(uuid4())
    done = refrain.run("watch", unknown, job_id)
    assert done.returncode == 1
    assert done.stderr == f"refrain: There is no job {unknown}.\n"
    assert done.stdout.splitlines()[-1] == "A Short Song: completed, 1/1 segments"


def test_off_a_terminal_a_watch_is_plain_lines(refrain: Refrain) -> None:
    done = refrain.run("create", "--lyrics", "-", "--watch", *SMALL, stdin=SHORT_SONG)
    assert done.returncode == 0
    assert done.stderr == ""
    assert "\x1b" not in done.stdout
    assert done.stdout.splitlines()[-1] == "A Short Song: completed, 1/1 segments"


def test_on_a_terminal_cancel_asks_by_the_title(
    refrain: Refrain, long_job: str
) -> None:
    code, shown = refrain.asked("cancel", long_job, answer="n")
    assert code == 0
    assert "Cancel 'Greensleeves' by Traditional" in shown
    assert "cancellation" not in refrain.json("show", long_job)["job"]


def test_ctrl_c_ends_the_watch_and_not_the_job(refrain: Refrain, long_job: str) -> None:
    pipe = subprocess.PIPE
    with refrain.start("watch", long_job, stdout=pipe, stderr=pipe) as process:
        assert process.stdout is not None
        assert process.stdout.readline().startswith("Greensleeves: ")
        process.send_signal(signal.SIGINT)
        _, errors = process.communicate()
    assert process.returncode == 130
    assert errors.startswith("refrain: no longer watching; the job goes on")
    assert len(errors.splitlines()) == 1
    assert "cancellation" not in refrain.json("show", long_job)["job"]


def test_a_watch_outlives_its_gateway_without_gap_or_repeat(
    refrain: Refrain, long_job: str
) -> None:
    with refrain.watching(long_job) as events:
        seen = [next(events)["sequence"]]
        refrain.kill_gateway()
        refrain.json("cancel", long_job)
        seen += [event["sequence"] for event in events]
    first, last = int(seen[0]), int(seen[-1])
    assert list(map(int, seen)) == list(range(first, last + 1))
    shown = refrain.json("show", long_job)["job"]
    assert last == int(shown["eventSequence"])


def test_a_call_waits_for_a_gateway_that_is_started_again(refrain: Refrain) -> None:
    refrain.kill_gateway()
    assert refrain.run("list").returncode == 0


def test_no_gateway_is_said_in_one_line(refrain: Refrain) -> None:
    nowhere = f"127.0.0.1:{free_port()}"
    done = refrain.run("list", "--server", nowhere)
    assert done.returncode == 1
    assert done.stderr == (
        f"refrain: nothing answers at {nowhere}; start it with `refrain up`, "
        "or name another with --server\n"
    )
