"""Where the command line writes: a terminal, a file or pipe, or a script's JSON."""

from __future__ import annotations

import json
import signal
import sys
from typing import TYPE_CHECKING

from google.protobuf.json_format import MessageToDict
from google.rpc import error_details_pb2
from rich.console import Console
from rich.table import Table

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from typing import Any

    from google.protobuf.message import Message

JSON_DETAILS = (error_details_pb2.ErrorInfo, error_details_pb2.BadRequest)
"""What Job.error may hold; JSON needs their descriptors."""


class CommandError(Exception):
    """The command cannot be done; the message says what to do."""


class Terminal:
    """Standard output, with tables and colours only where a person looks at it."""

    def __init__(self) -> None:
        self.console = Console(
            force_terminal=sys.stdout.isatty(),
            markup=False,
            emoji=False,
            highlight=False,
        )

    @property
    def interactive(self) -> bool:
        """Whether a person looks on and can answer."""
        return sys.stdout.isatty() and sys.stdin.isatty()

    def say(self, line: str) -> None:
        """Writes one line at once, whoever reads it."""
        if self.console.is_terminal:
            self.console.print(printable(line), soft_wrap=True)
        else:
            sys.stdout.write(f"{printable(line)}\n")
            sys.stdout.flush()

    def facts(self, facts: Mapping[str, str]) -> None:
        """Writes a line for each fact that is known."""
        for name, fact in facts.items():
            if fact:
                self.say(f"{name:<13} {fact}")

    def table(self, columns: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
        """Writes a table; off a terminal, lines with tabs and without a head."""
        clean = [[printable(cell) for cell in row] for row in rows]
        if not self.console.is_terminal:
            for row in clean:
                self.say_row(row)
            return
        table = Table(*columns, box=None, pad_edge=False, header_style="bold")
        for row in clean:
            table.add_row(*row)
        self.console.print(table)

    def say_row(self, cells: Iterable[str]) -> None:
        """Writes the cells with tabs between them."""
        sys.stdout.write("\t".join(cells) + "\n")

    def document(self, document: object) -> None:
        """Writes one JSON document, of messages and what holds them."""
        sys.stdout.write(json.dumps(document, default=_plain, indent=2) + "\n")

    def json_line(self, message: Message) -> None:
        """Writes one JSON document on one line, at once."""
        sys.stdout.write(json.dumps(message, default=_plain) + "\n")
        sys.stdout.flush()

    def confirm(self, question: str) -> bool:
        """Asks, and returns whether the answer is yes; Ctrl-C is no answer."""
        # The event loop's own handler would let Ctrl-C wait for the Enter key.
        before = signal.signal(signal.SIGINT, signal.default_int_handler)
        sys.stdout.write(f"{printable(question)} [y/N] ")
        sys.stdout.flush()
        try:
            answer = sys.stdin.readline()
        finally:
            signal.signal(signal.SIGINT, before)
        return answer.strip().lower() in {"y", "yes"}


def complain(message: str) -> None:
    """Writes one line to standard error."""
    line = printable(" ".join(message.split()))
    sys.stderr.write(f"refrain: {line}\n")
    sys.stderr.flush()


def printable(text: str) -> str:
    """Returns the text without what would steer a terminal."""
    return "".join(c if c.isprintable() else " " for c in text)


def _plain(message: Message) -> Mapping[str, Any]:
    """Returns the message in its JSON form, zero values included."""
    return MessageToDict(message, always_print_fields_with_no_presence=True)
