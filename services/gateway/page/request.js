// The form as a CreateJobRequest. The id of a control is the name of its field, so
// that what the gateway refuses finds its place.
import { byId } from "./dom.js";
import { labelOf } from "./wrong.js";

const MAX_LENGTH = 200;

const valueOf = (field) => byId(field).value.trim();

export const wordsFrom = () =>
  document.querySelector('[name="words"]:checked').value;

// Returns the request, and a sentence for each field that it could not be read from.
export function readForm(audio) {
  const wrong = {};
  const request = {
    title: readText("title", wrong),
    artist: readText("artist", wrong),
    album: readText("album", wrong),
    style: readText("style", wrong),
    audioUri: audio?.audioUri,
    songDuration: audio ? undefined : readLength(wrong),
    video: readVideo(wrong),
    maxInFlight: readWhole("maxInFlight", 1, 32, wrong),
    cancelAfter: valueOf("cancelAfter") || undefined,
    ...readWords(wrong),
    ...readMakers(wrong),
  };
  if (!request.title) wrong.title = "Give the title of the song.";
  if (request.instrumental && !audio && !valueOf("songDuration"))
    wrong.songDuration = "Give the length, or the audio: there are no words.";
  return { request, wrong };
}

function readText(field, wrong) {
  const text = valueOf(field);
  const { length } = [...text];
  if (length > MAX_LENGTH)
    wrong[field] =
      `${labelOf(field)} has ${length.toLocaleString("en")} characters; ${MAX_LENGTH} are allowed.`;
  return text;
}

function readWords(wrong) {
  switch (wordsFrom()) {
    case "instrumental":
      return { instrumental: true };
    case "lookup":
      if (!valueOf("artist")) wrong.artist = "Give the artist to look the words up.";
      return {};
    default:
      if (!valueOf("lyrics"))
        wrong.lyrics = "Give the words of the song, or choose Instrumental.";
      return { lyrics: byId("lyrics").value };
  }
}

function readLength(wrong) {
  const text = valueOf("songDuration");
  if (!text) return undefined;
  const parts = /^(?:(\d{1,2}):)?(\d{1,3}):([0-5]?\d(?:\.\d{1,3})?)$/.exec(text);
  if (!parts) {
    wrong.songDuration = "Length must be minutes and seconds, such as 3:25.";
    return undefined;
  }
  const [hours, minutes, seconds] = parts.slice(1).map((part) => Number(part ?? 0));
  return `${(hours * 3600 + minutes * 60 + seconds).toFixed(3)}s`;
}

function readVideo(wrong) {
  const frameRate = Number(valueOf("video.frameRate"));
  const [width, height] = valueOf("size")
    ? valueOf("size").split("x").map(Number)
    : ["video.width", "video.height"].map((field) => readPixels(field, wrong));
  return { width, height, frameRate };
}

function readPixels(field, wrong) {
  if (!valueOf(field)) wrong[field] = `Give the ${labelOf(field).toLowerCase()}.`;
  const pixels = readWhole(field, 128, 3840, wrong);
  if (pixels % 2) wrong[field] = `${labelOf(field)} must be even.`;
  return pixels;
}

function readWhole(field, lowest, highest, wrong) {
  const text = valueOf(field);
  if (!text) return undefined;
  const number = /^\d+$/.test(text) ? Number(text) : Number.NaN;
  if (number >= lowest && number <= highest) return number;
  const range = `${lowest} to ${highest.toLocaleString("en")}`;
  wrong[field] = `${labelOf(field)} must be a whole number from ${range}.`;
  return undefined;
}

function readMakers(wrong) {
  if (byId("makers").hidden) return {};
  const text = valueOf("maxCostUsd").replace(/^\$\s*/, "");
  const maxCostUsd = text ? Number(text) : undefined;
  if (text && !/^(\d{1,9}(\.\d{0,9})?|\.\d{1,9})$/.test(text))
    wrong.maxCostUsd = "Budget must be an amount, such as 5 or 2.50.";
  // The API takes 0 for no bound, which is not what a person means by it.
  else if (maxCostUsd === 0)
    wrong.maxCostUsd = "Leave the budget empty for no limit; the local renderer is free.";
  return {
    storyboardProvider: valueOf("storyboardProvider"),
    imageProvider: valueOf("imageProvider"),
    clipProvider: valueOf("clipProvider"),
    maxCostUsd,
    onRefusal: byId("onRefusal").disabled ? undefined : valueOf("onRefusal"),
  };
}
