"""What `refrain create --preview` shows: the segments, and what they would cost."""

from __future__ import annotations

from typing import TYPE_CHECKING

from refrain.cli.receipt import dollars

if TYPE_CHECKING:
    from argparse import Namespace

    from refrain.cli.terminal import Terminal
    from refrain.v1.job_pb2 import Segment
    from refrain.v1.job_service_pb2 import PreviewJobResponse


def show_preview(
    preview: PreviewJobResponse, asked: Namespace, terminal: Terminal
) -> int:
    """Shows it; nothing was created."""
    if asked.json:
        terminal.document(preview)
        return 0
    terminal.table(
        ["segment", "begins", "ends", "cost", "words"], map(_row, preview.segments)
    )
    terminal.facts(
        {
            "segments": str(len(preview.segments)),
            "length": _length(preview),
            "lyrics": "are looked up when the job runs, and the cut follows them"
            if preview.lyrics_looked_up
            else "",
            "estimate": _estimate(preview),
        }
    )
    return 0


def _length(preview: PreviewJobResponse) -> str:
    if not preview.HasField("song_duration"):
        return ""
    return f"{preview.song_duration.ToTimedelta().total_seconds():.2f} s"


def _estimate(preview: PreviewJobResponse) -> str:
    if not preview.HasField("song_duration"):
        return "not known before the lyrics are"
    return f"{dollars(preview.estimate_usd)} at list prices"


def _row(segment: Segment) -> list[str]:
    return [
        str(segment.position),
        f"{segment.start_offset.ToTimedelta().total_seconds():.2f}",
        f"{segment.end_offset.ToTimedelta().total_seconds():.2f}",
        dollars(segment.estimate_usd) if segment.estimate_usd else "",
        " / ".join(line.text for line in segment.lines),
    ]
