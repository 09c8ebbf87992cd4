"""Gemini's adapters: storyboards that may be wrong, and pictures that may not come."""

from __future__ import annotations

import base64
import json
import statistics
from decimal import Decimal
from io import BytesIO
from typing import TYPE_CHECKING, Any, Literal

import pytest
from PIL import Image

from refrain.prices import text_price
from services.generator.providers.gemini import GeminiImages, GeminiStoryboards
from services.generator.providers.google import GEMINI_URL, gemini_client
from services.generator.providers.provider import (
    Draft,
    ImageRequest,
    ProviderError,
    Song,
)
from tests.emulators import KEYS, Emulators, State
from tests.generator.leaving import seconds_to_close
from tests.generator.providers.canned import Canned
from tests.generator.providers.odyssey_calls import names_in

if TYPE_CHECKING:
    from pathlib import Path

    import httpx

    from services.generator.providers.provider import (
        ImageProvider,
        StoryboardProvider,
    )

TEXT, IMAGE = "gemini-3.8-flash", "gemini-3.1-flash-image"
STYLE = "Oil on canvas, at dusk"
SONG = Song(
    title="A song",
    artist="Someone",
    style="noir",
    segments=[["one", "two"], [], ["three"], ["four"]],
)
WIDE = ImageRequest(
    prompt="a valley", style="noir", song_seed=1, seed=2, width=1280, height=720
)
JPEG = b"\xff\xd8\xff"

NO_IMAGE: dict[str, Any] = {
    "candidates": [{"content": {}, "finishReason": "NO_IMAGE", "index": 0}],
    "usageMetadata": {"promptTokenCount": 9, "totalTokenCount": 9},
}
"""From the fixture google-image-no-image-live of vercel/ai (Apache-2.0), shortened."""
BLOCKED = {
    "promptFeedback": {"blockReason": "PROHIBITED_CONTENT"},
    "usageMetadata": {"promptTokenCount": 1000, "totalTokenCount": 1000},
}
"""From its fixture issue-19758-image-prompt-block, shortened."""


@pytest.fixture
def storyboards(emulators: Emulators, http: httpx.AsyncClient) -> GeminiStoryboards:
    client = gemini_client(KEYS["gemini"], emulators.gemini.url, http)
    return GeminiStoryboards(client, model=TEXT)


@pytest.fixture
def images(emulators: Emulators, http: httpx.AsyncClient) -> GeminiImages:
    client = gemini_client(KEYS["gemini"], emulators.gemini.url, http)
    return GeminiImages(client, model=IMAGE)


def answer_of(text: str, finish: str = "STOP") -> dict[str, Any]:
    """Returns what generateContent answers with that text."""
    content = {"parts": [{"text": text}], "role": "model"}
    return {
        "candidates": [{"content": content, "finishReason": finish, "index": 0}],
        "usageMetadata": {
            "promptTokenCount": 1000,
            "candidatesTokenCount": 300,
            "thoughtsTokenCount": 100,
        },
    }


def board_of(*entries: object) -> str:
    return json.dumps({"style": STYLE, "segments": entries})


def entry(position: object, prompt: object = "A valley.") -> dict[str, object]:
    return {"position": position, "prompt": prompt}


async def write(text: str, finish: str = "STOP") -> Draft:
    async with Canned(answer_of(text, finish)) as http:
        client = gemini_client("key", GEMINI_URL, http)
        return await GeminiStoryboards(client, model=TEXT).write(SONG)


async def paint(
    answer: object, path: Path, model: str = IMAGE, request: ImageRequest = WIDE
) -> tuple[Decimal, dict[str, Any]]:
    """Returns the price, and what was sent."""
    async with Canned(answer) as http:
        client = gemini_client("key", GEMINI_URL, http)
        price = await GeminiImages(client, model=model).paint(request, path)
    (sent,) = http.requests
    return price, json.loads(sent.content)


def test_they_are_providers(
    storyboards: GeminiStoryboards, images: GeminiImages
) -> None:
    writer: StoryboardProvider = storyboards
    painter: ImageProvider = images
    assert (writer.name, painter.name) == ("gemini", "gemini")


async def test_a_storyboard_has_a_prompt_of_one_style_for_every_segment(
    storyboards: GeminiStoryboards, emulators: Emulators
) -> None:
    draft = await storyboards.write(SONG)
    assert not draft.problems
    assert sorted(draft.prompts) == [0, 1, 2, 3]
    assert all(
        prompt.endswith(". oil on canvas, at dusk") for prompt in draft.prompts.values()
    )
    assert draft.price_usd == emulators.ledger.total(State.BILLED)
    assert storyboards.estimate(SONG) > 0


async def test_a_repair_asks_for_what_is_missing_and_keeps_the_rest(
    storyboards: GeminiStoryboards, emulators: Emulators
) -> None:
    emulators.gemini.knobs.partial_storyboards = 1
    wrong = await storyboards.write(SONG)
    assert sorted(wrong.prompts) == [0, 2]
    assert "There is no prompt for these positions: 1, 3" in wrong.problems
    draft = await storyboards.write(SONG, wrong)
    assert not draft.problems
    assert sorted(draft.prompts) == [0, 1, 2, 3]
    assert {position: draft.prompts[position] for position in (0, 2)} == wrong.prompts
    brief, wanted = emulators.log.exchanges[1].json["contents"][-1]["parts"]
    assert [each["position"] for each in json.loads(wanted["text"])["segments"]] == [
        1,
        3,
    ]
    assert wrong.prompts[2] in brief["text"]
    assert wrong.problems[0] in brief["text"]
    assert draft.price_usd == emulators.ledger.charges[1].usd


async def test_what_is_whole_in_a_storyboard_that_breaks_off_is_kept(
    storyboards: GeminiStoryboards, emulators: Emulators
) -> None:
    emulators.gemini.knobs.bad_storyboards = 1
    draft = await storyboards.write(SONG)
    assert draft.problems
    assert len(draft.prompts) in {1, 2}
    assert draft.prompts[0].endswith(". oil on canvas, at dusk")


async def test_an_answer_cut_off_at_its_tokens_says_so() -> None:
    text = board_of(entry(0), entry(1), entry(2))
    draft = await write(text[:-30], "MAX_TOKENS")
    assert sorted(draft.prompts) == [0, 1]
    assert draft.problems[0] == "The answer was cut off at the limit of its tokens"
    assert draft.prompts[1] == f"A valley. {STYLE}"


async def test_an_answer_of_thoughts_alone_is_a_problem_and_not_an_error() -> None:
    draft = await write("", "MAX_TOKENS")
    assert not draft.prompts
    assert draft.problems


@pytest.mark.parametrize(
    "text", ["I cannot do that.", "[1, 2]", '"a"', '{"segments": 3}', "{" * 5000]
)
async def test_an_answer_that_is_not_a_storyboard_is_a_problem(text: str) -> None:
    draft = await write(text)
    assert not draft.prompts
    assert draft.problems[0] == "The answer is not the JSON object that was asked for"


@pytest.mark.parametrize(
    ("wrong", "problem"),
    [
        (entry(4), "Nobody asked for position 4"),
        (entry("x"), "Nobody asked for position x"),
        (entry(0), "Position 0 is there twice"),
        (entry(3, "  "), "The prompt of position 3 is empty"),
        (entry(3, 7), "The prompt of position 3 is empty"),
    ],
)
async def test_a_wrong_entry_is_named_and_the_others_are_kept(
    wrong: dict[str, object], problem: str
) -> None:
    draft = await write(board_of(entry(0), entry(1), wrong, entry(2)))
    assert sorted(draft.prompts) == [0, 1, 2]
    assert draft.problems == (problem, "There is no prompt for these positions: 3")


async def test_what_is_too_much_is_no_problem_when_nothing_is_missing() -> None:
    entries = [entry(position) for position in (0, 1, 1, 2, 3, 9)]
    assert not (await write(board_of(*entries))).problems


async def test_a_long_prompt_is_cut_and_keeps_its_style() -> None:
    entries = [entry(position, "very " * 1000) for position in range(4)]
    draft = await write(board_of(*entries))
    assert len(draft.prompts[0]) == 2000
    assert draft.prompts[0].endswith(f". {STYLE}")


async def test_the_style_that_is_wished_for_stands_in_for_none() -> None:
    segments = [entry(position) for position in range(4)]
    draft = await write(json.dumps({"segments": segments}))
    assert draft.prompts[0] == "A valley. noir"


async def test_thoughts_are_paid_as_output() -> None:
    draft = await write(board_of(entry(0)))
    assert draft.price_usd == text_price(TEXT, input_tokens=1000, output_tokens=400)


async def test_a_blocked_storyboard_is_refused_and_has_its_price() -> None:
    async with Canned(BLOCKED) as http:
        client = gemini_client("key", GEMINI_URL, http)
        with pytest.raises(ProviderError, match="PROHIBITED_CONTENT") as raised:
            await GeminiStoryboards(client, model=TEXT).write(SONG)
    assert raised.value.refused
    assert not raised.value.retryable
    assert raised.value.price_usd > 0


async def test_a_storyboard_that_stops_for_safety_is_refused() -> None:
    with pytest.raises(ProviderError, match="SAFETY") as raised:
        await write("", "SAFETY")
    assert raised.value.refused


async def test_a_storyboard_that_did_not_come_may_come_yet() -> None:
    with pytest.raises(ProviderError, match="OTHER") as raised:
        await write("", "OTHER")
    assert raised.value.retryable
    assert not raised.value.refused


async def test_a_storyboard_is_one_request_whatever_google_offers_to_continue() -> None:
    answer = answer_of(board_of(entry(0)), "CONTINUATION")
    answer["candidates"][0]["continuationToken"] = base64.b64encode(b"more").decode()
    async with Canned(answer) as http:
        client = gemini_client("key", GEMINI_URL, http)
        await GeminiStoryboards(client, model=TEXT).write(SONG)
    assert len(http.requests) == 1


async def test_a_picture_is_written_as_it_came(
    images: GeminiImages, emulators: Emulators, tmp_path: Path
) -> None:
    path = tmp_path / "image"
    price = await images.paint(WIDE, path)
    picture = Image.open(BytesIO(path.read_bytes()))
    assert picture.width / picture.height == pytest.approx(16 / 9, rel=0.1)
    assert price == emulators.ledger.total(State.BILLED)
    assert names_in(tmp_path) == ["image"]


async def test_the_style_is_asked_for_with_the_prompt(
    images: GeminiImages, emulators: Emulators, tmp_path: Path
) -> None:
    await images.paint(WIDE, tmp_path / "image")
    text = emulators.log.exchanges[0].json["contents"][0]["parts"][0]["text"]
    assert text.startswith("a valley\nStyle: noir")


async def test_text_and_thoughts_before_a_picture_are_passed_over(
    tmp_path: Path,
) -> None:
    draft, png = b"\x89PNG draft", b"\x89PNG final"
    answer = answer_of("Here it is:")
    answer["candidates"][0]["content"]["parts"] += [
        {"inlineData": inline(draft), "thought": True},
        {"inlineData": inline(png), "thoughtSignature": "AAAA"},
    ]
    price, _ = await paint(answer, tmp_path / "image")
    assert (tmp_path / "image").read_bytes() == png
    assert price >= Decimal("0.0672"), "no image tokens were named: the list price"


def inline(data: bytes) -> dict[str, str]:
    return {"mimeType": "image/png", "data": base64.b64encode(data).decode()}


@pytest.mark.parametrize(
    ("width", "height", "model", "aspect", "size"),
    [
        (1280, 720, IMAGE, "16:9", "1K"),
        (720, 1280, IMAGE, "9:16", "1K"),
        (1920, 1080, IMAGE, "16:9", "2K"),
        (1080, 1920, "gemini-3-pro-image", "9:16", "2K"),
        (1920, 1080, "gemini-3.1-flash-lite-image", "16:9", "1K"),
        (1080, 1080, "gemini-2.5-flash-image", "1:1", None),
    ],
)
async def test_the_nearest_shape_and_size_are_asked_for(
    width: int, height: int, model: str, aspect: str, size: str | None, tmp_path: Path
) -> None:
    request = ImageRequest(
        prompt="a valley", style="", song_seed=1, seed=2, width=width, height=height
    )
    answer = answer_of("")
    answer["candidates"][0]["content"]["parts"] = [{"inlineData": inline(JPEG)}]
    _, sent = await paint(answer, tmp_path / "image", model, request)
    settings = sent["generationConfig"]
    assert settings["responseModalities"] == ["IMAGE"]
    assert settings["imageConfig"].get("aspectRatio") == aspect
    assert settings["imageConfig"].get("imageSize") == size


@pytest.mark.parametrize("reason", ["PROHIBITED_CONTENT", "IMAGE_SAFETY"])
async def test_a_refused_picture_has_googles_words_and_its_price(
    images: GeminiImages,
    emulators: Emulators,
    tmp_path: Path,
    reason: Literal["PROHIBITED_CONTENT", "IMAGE_SAFETY"],
) -> None:
    emulators.gemini.knobs.image_refusal = reason
    emulators.gemini.knobs.refused_images = 1
    with pytest.raises(ProviderError, match=reason) as raised:
        await images.paint(WIDE, tmp_path / "image")
    assert raised.value.refused
    assert not raised.value.retryable
    assert raised.value.price_usd == emulators.ledger.total(State.BILLED)
    assert not names_in(tmp_path)


@pytest.mark.parametrize(
    "reason", ["IMAGE_PROHIBITED_CONTENT", "IMAGE_RECITATION", "BLOCKLIST", "SPII"]
)
async def test_every_ending_that_speaks_of_content_is_a_refusal(
    reason: str, tmp_path: Path
) -> None:
    answer = {"candidates": [{"finishReason": reason, "finishMessage": "Not this."}]}
    with pytest.raises(ProviderError, match=f"{reason}: Not this") as raised:
        await paint(answer, tmp_path / "image")
    assert raised.value.refused


@pytest.mark.parametrize(
    "answer",
    [NO_IMAGE, {"candidates": [{"finishReason": "IMAGE_OTHER"}]}, {"candidates": []}],
)
async def test_a_picture_that_did_not_come_may_come_yet(
    answer: dict[str, Any], tmp_path: Path
) -> None:
    with pytest.raises(ProviderError, match="painted no picture") as raised:
        await paint(answer, tmp_path / "image")
    assert raised.value.retryable
    assert not raised.value.refused


async def test_words_instead_of_a_picture_are_a_refusal(tmp_path: Path) -> None:
    with pytest.raises(ProviderError, match="I will not paint that") as raised:
        await paint(answer_of("I will not paint that."), tmp_path / "image")
    assert raised.value.refused


@pytest.mark.parametrize("hang", ["headers", "body"])
async def test_cancelling_a_picture_closes_its_connection_within_50_ms(
    images: GeminiImages,
    emulators: Emulators,
    tmp_path: Path,
    hang: Literal["headers", "body"],
) -> None:
    emulators.gemini.knobs.image.hang = hang
    delays = [
        await seconds_to_close(emulators, images.paint(WIDE, tmp_path / "image"), hang)
        for _ in range(5)
    ]
    assert statistics.median(delays) < 0.05
    assert len(emulators.log.exchanges) == 5
    assert not names_in(tmp_path)
