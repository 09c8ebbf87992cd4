"""What Gemini answers: storyboards, refusals, and the tokens that were used."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, cast

from services.generator.providers.provider import Draft
from services.generator.providers.untrusted import object_of, objects_of, words_of

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator
    from decimal import Decimal

LONGEST_PROMPT = 2000
"""Characters; a prompt beyond them is cut."""

_REFUSALS = frozenset(
    {
        *("SAFETY", "RECITATION", "LANGUAGE", "BLOCKLIST", "PROHIBITED_CONTENT"),
        *("SPII", "ESCALATION", "MODEL_ARMOR"),
        *("IMAGE_SAFETY", "IMAGE_PROHIBITED_CONTENT", "IMAGE_RECITATION"),
    }
)
"""NO_IMAGE, IMAGE_OTHER and OTHER are none: they do not speak of the content."""

_STYLE = re.compile(r'"style"\s*:\s*("(?:[^"\\]|\\.)*")')


@dataclass(frozen=True, slots=True)
class Answer:
    """What generateContent answered: one candidate, or none.

    Read as the JSON that it is, since google-genai 3.4.0 drops `finishMessage`.
    """

    fields: dict[str, Any]

    @property
    def refusal(self) -> str:
        """Google's words for why it will not make this; empty: it does not say."""
        feedback = object_of(self.fields.get("promptFeedback"))
        if reason := feedback.get("blockReason"):
            return _said(reason, feedback.get("blockReasonMessage"))
        return self.ending if self.finish_reason in _REFUSALS else ""

    @property
    def finish_reason(self) -> str:
        return str(self._candidate.get("finishReason") or "")

    @property
    def ending(self) -> str:
        """How it ended, in words."""
        reason = self.finish_reason or "there is nothing in the answer"
        return _said(reason, self._candidate.get("finishMessage"))

    @property
    def text(self) -> str:
        """Without thoughts."""
        return "".join(str(part.get("text") or "") for part in self._parts)

    @property
    def picture(self) -> str:
        """In base64; empty for none."""
        for part in self._parts:
            if data := object_of(part.get("inlineData")).get("data"):
                return str(data)
        return ""

    @property
    def tokens(self) -> Tokens:
        usage = object_of(self.fields.get("usageMetadata"))
        image = sum(
            _count(detail, "tokenCount")
            for detail in objects_of(usage.get("candidatesTokensDetails"))
            if detail.get("modality") == "IMAGE"
        )
        came_out = _count(usage, "candidatesTokenCount")
        return Tokens(
            prompt=_count(usage, "promptTokenCount"),
            text=max(0, came_out - image) + _count(usage, "thoughtsTokenCount"),
            image=image,
        )

    @property
    def _candidate(self) -> dict[str, Any]:
        candidates = objects_of(self.fields.get("candidates"))
        return candidates[0] if candidates else {}

    @property
    def _parts(self) -> list[dict[str, Any]]:
        content = object_of(self._candidate.get("content"))
        parts = objects_of(content.get("parts"))
        return [part for part in parts if not part.get("thought")]


@dataclass(frozen=True, slots=True, kw_only=True)
class Tokens:
    """What is billed."""

    prompt: int
    text: int
    """With thoughts."""
    image: int


def draft_of(
    text: str, asked: Collection[int], *, price: Decimal, style: str, cut_off: bool
) -> Draft:
    """Reads a storyboard: `{"style": …, "segments": [{"position", "prompt"}]}`.

    Its style is joined to each prompt as a last sentence, or `style` if it names
    none. What stands before the end of an answer that was `cut_off` counts. There are
    problems only if a position that was asked for has no prompt.
    """
    shared, entries = _board(text)
    prompts: dict[int, str] = {}
    problems = ["The answer was cut off at the limit of its tokens"] if cut_off else []
    if not entries:
        problems.append("The answer is not the JSON object that was asked for")
    for entry in entries:
        position, prompt = entry.get("position"), entry.get("prompt")
        if not isinstance(position, int) or position not in asked:
            problems.append(f"Nobody asked for position {position}")
        elif position in prompts:
            problems.append(f"Position {position} is there twice")
        elif not isinstance(prompt, str) or not prompt.strip():
            problems.append(f"The prompt of position {position} is empty")
        else:
            prompts[position] = _joined(prompt, shared or style)
    if missing := sorted(set(asked) - set(prompts)):
        positions = ", ".join(map(str, missing))
        problems.append(f"There is no prompt for these positions: {positions}")
    return Draft(
        prompts=prompts,
        problems=tuple(problems) if missing else (),
        price_usd=price,
    )


def _board(text: str) -> tuple[str, list[dict[str, Any]]]:
    """Reads style and segments, also of an answer that is not whole."""
    try:
        board = json.loads(text)
    except (ValueError, RecursionError):
        found = _STYLE.search(text)
        style = json.loads(found[1], strict=False) if found else ""
        return style.strip(), list(_whole_entries(text))
    style = object_of(board).get("style")
    return (
        style.strip() if isinstance(style, str) else "",
        objects_of(object_of(board).get("segments")),
    )


def _whole_entries(text: str) -> Iterator[dict[str, Any]]:
    decoder = json.JSONDecoder()
    for brace in re.finditer("{", text):
        try:
            entry, _ = decoder.raw_decode(text, brace.start())
        except (ValueError, RecursionError):
            continue
        if isinstance(entry, dict) and "position" in entry:
            yield cast("dict[str, Any]", entry)


def _joined(prompt: str, style: str) -> str:
    """The style stays whole: the cut takes from the prompt."""
    style = style[: LONGEST_PROMPT // 2]
    prompt = prompt.strip()
    if not style:
        return prompt[:LONGEST_PROMPT]
    prompt = prompt.rstrip(".")[: LONGEST_PROMPT - len(style) - 2]
    return f"{prompt}. {style}"


def _said(reason: object, message: object) -> str:
    return words_of(f"{reason}: {message}" if message else reason)


def _count(usage: dict[str, Any], name: str) -> int:
    value = usage.get(name)
    return value if isinstance(value, int) else 0
