"""Options: what each command takes, and how it is read."""

from __future__ import annotations

import argparse
import math
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from refrain.v1.job_pb2 import Job

if TYPE_CHECKING:
    from argparse import ArgumentParser, Namespace

STATUSES = {name.lower(): number for name, number in Job.Status.items() if number}


def add_common(parser: ArgumentParser) -> None:
    """Adds what every command takes that speaks to a gateway."""
    parser.add_argument(
        "--server",
        metavar="HOST:PORT",
        help="the gateway; else REFRAIN_SERVER, else where `refrain up` runs",
    )
    parser.add_argument("--json", action="store_true", help="write JSON, for scripts")


def add_create(parser: ArgumentParser) -> None:
    """Adds the options of `refrain create`."""
    add = parser.add_argument
    add("--title", type=_text, help="of the song; else the ti tag of the lyrics")
    add("--artist", type=_text, help="who performs it; else the ar tag of the lyrics")
    add(
        "--lyrics",
        metavar="FILE",
        help="plain text or LRC; - reads standard input; else they are looked up",
    )
    add("--audio", metavar="FILE", type=Path, help="the song, in any usual format")
    add("--style", type=_text, default="", help="the look, such as dusk or ember")
    _add_providers(parser)
    add("--size", metavar="WxH", type=_size, default=(0, 0), help="else 1280x720")
    add("--frame-rate", metavar="N", type=int, default=0, help="a second; else 24")
    add("--duration", metavar="SECONDS", type=_seconds, help="of a song without audio")
    add("--instrumental", action="store_true", help="the song has no words")
    add("--max-in-flight", metavar="N", type=int, default=0, help="tasks at once")
    add("--priority", metavar="N", type=int, default=0, help="-10 to 10 (first)")
    add("--cancel-after", metavar="SECONDS", type=_seconds, help="unless finished")
    add(
        "--label",
        metavar="KEY=VALUE",
        type=_label,
        action="append",
        default=[],
        help="a note of your own; may be repeated",
    )
    add("--request-id", type=_text, default="", help="the same id, the same job")
    add = parser.add_mutually_exclusive_group().add_argument
    add("--watch", action="store_true", help="follow the job to its end")
    add("--preview", action="store_true", help="only show the cut, and the cost")


def add_job(parser: ArgumentParser) -> None:
    """Adds the id of one job."""
    parser.add_argument("job_id", metavar="JOB_ID", type=_text)


def add_jobs(parser: ArgumentParser) -> None:
    """Adds the ids of one or more jobs."""
    parser.add_argument("job_ids", metavar="JOB_ID", type=_text, nargs="+")


def add_wait(parser: ArgumentParser) -> None:
    """Adds the options of `refrain wait`."""
    add_jobs(parser)
    parser.add_argument(
        "--timeout", metavar="SECONDS", type=_seconds, help="else until they are"
    )


def add_cancel(parser: ArgumentParser) -> None:
    """Adds the options of `refrain cancel`."""
    add = parser.add_argument
    add("job_ids", metavar="JOB_ID", type=_text, nargs="*")
    add("--all", action="store_true", help="all jobs that are not finished")
    _add_filter(parser)
    add("--dry-run", action="store_true", help="only say what that would do")
    add("--reason", type=_text, default="", help="for the receipt")
    add("--yes", action="store_true", help="cancel without asking")
    parser.set_defaults(check=partial(_check_cancel, parser))


def add_pause(parser: ArgumentParser) -> None:
    """Adds the options of `refrain pause`."""
    add_jobs(parser)
    parser.add_argument(
        "--abort",
        action="store_true",
        help="abort what runs, to do it again afterwards",
    )


def add_retry(parser: ArgumentParser) -> None:
    """Adds the options of `refrain retry`."""
    add_job(parser)
    add = parser.add_argument
    add("--request-id", type=_text, default="", help="the same id, the same job")
    add("--watch", action="store_true", help="follow the new job to its end")


def add_delete(parser: ArgumentParser) -> None:
    """Adds the options of `refrain delete`."""
    add_jobs(parser)
    parser.add_argument("--yes", action="store_true", help="delete without asking")


def add_list(parser: ArgumentParser) -> None:
    """Adds the options of `refrain list`."""
    _add_filter(parser)
    parser.add_argument(
        "--limit", metavar="N", type=_count, default=50, help="at most; else 50"
    )


def add_download(parser: ArgumentParser) -> None:
    """Adds the options of `refrain download`."""
    add_job(parser)
    parser.add_argument(
        "--to", metavar="FOLDER", type=Path, help="else one named after the song"
    )


def _add_providers(parser: ArgumentParser) -> None:
    """Who makes what; the gateway knows which of them it has keys for."""
    add = parser.add_argument
    for option, who in (
        ("--storyboard", "who writes it: local or gemini"),
        ("--images", "who paints them: local or gemini"),
        ("--clips", "who makes them: local, omni, odyssey or veo"),
    ):
        add(option, metavar="PROVIDER", type=_text, default="", help=who)
    add(
        "--budget",
        metavar="USD",
        type=_dollars,
        default=0,
        help="cancel before a call that would cost more in all, at list prices",
    )
    add(
        "--stand-in",
        action="store_true",
        help="make here what a provider refuses; else the job fails",
    )


def _check_cancel(parser: ArgumentParser, asked: Namespace) -> None:
    """Exits with 2 unless it is clear which jobs are meant."""
    filtered = asked.status is not None or asked.text is not None
    if [bool(asked.job_ids), asked.all, filtered].count(True) != 1:
        parser.error("name jobs, or choose with --status and --text, or say --all")
    if asked.dry_run and asked.job_ids:
        parser.error("--dry-run goes with --all, --status and --text")


def _add_filter(parser: ArgumentParser) -> None:
    add = parser.add_argument
    add(
        "--status",
        metavar="STATUS",
        type=_status,
        action="append",
        help=f"one of {', '.join(STATUSES)}; may be repeated",
    )
    add("--text", type=_text, help="in the title or the artist")


def _text(value: str) -> str:
    try:
        value.encode()
    except UnicodeEncodeError as error:
        raise argparse.ArgumentTypeError("it is not UTF-8 text") from error
    return value


def _size(value: str) -> tuple[int, int]:
    width, _, height = value.lower().partition("x")
    if not (width.isdecimal() and height.isdecimal()):
        raise argparse.ArgumentTypeError(f"{value!r} is not like 1280x720")
    return int(width), int(height)


def _seconds(value: str) -> timedelta:
    try:
        return timedelta(seconds=float(value))
    except (ValueError, OverflowError) as error:
        raise argparse.ArgumentTypeError(f"{value!r} are no seconds") from error


def _dollars(value: str) -> float:
    """Zero is refused: the API would take it for no bound."""
    try:
        amount = float(value)
    except ValueError:
        amount = math.nan
    if not (math.isfinite(amount) and amount > 0):
        raise argparse.ArgumentTypeError(f"{value!r} is no amount above 0")
    return amount


def _label(value: str) -> tuple[str, str]:
    key, equals, label = _text(value).partition("=")
    if not (key and equals):
        raise argparse.ArgumentTypeError(f"{value!r} is not like KEY=VALUE")
    return key, label


def _status(value: str) -> int:
    if value.lower() not in STATUSES:
        raise argparse.ArgumentTypeError(f"{value!r} is none of {', '.join(STATUSES)}")
    return STATUSES[value.lower()]


def _count(value: str) -> int:
    if not value.isdecimal() or int(value) < 1:
        raise argparse.ArgumentTypeError(f"{value!r} is no number from 1")
    return int(value)
