// The words of the song: opened from a file, or an example.
import { byId, setHidden } from "./dom.js";

const MAX_BYTES = 2 ** 20;
const TAGS = { ti: "title", ar: "artist", al: "album" };
const EXAMPLE = {
  title: "Twinkle, Twinkle, Little Star",
  artist: "Traditional",
  lyrics: `[length:00:32.97]
[00:02.14]Twinkle, twinkle, little star,
[00:06.43]How I wonder what you are!
[00:10.71]Up above the world so high,
[00:15.00]Like a diamond in the sky.
[00:19.29]Twinkle, twinkle, little star,
[00:23.57]How I wonder what you are!
[00:27.86]`,
};

let before = "";

// Fills an empty form only: nothing typed is lost.
export const isEmpty = () => Object.keys(EXAMPLE).every((field) => !byId(field).value);

export function fillExample() {
  choosePaste();
  for (const [field, value] of Object.entries(EXAMPLE)) byId(field).value = value;
}

// Resolves to what is wrong with the file; empty if its words stand in the form.
export async function openLyrics(file) {
  if (file.size > MAX_BYTES)
    return `${file.name} is larger than 1 MB: these are not the words of a song.`;
  let text;
  try {
    text = decode(new Uint8Array(await file.arrayBuffer()));
  } catch {
    return `${file.name} is not a text file. Save it as UTF-8, or paste the words.`;
  }
  choosePaste();
  const lyrics = byId("lyrics");
  before = lyrics.value;
  lyrics.value = text;
  setHidden(byId("undo"), !before.trim());
  for (const [tag, field] of Object.entries(TAGS)) {
    const value = new RegExp(`^\\[${tag}:(.*)\\]\\s*$`, "im").exec(text)?.[1].trim();
    if (value && !byId(field).value) byId(field).value = value;
  }
  return "";
}

export function putBack() {
  byId("lyrics").value = before;
  setHidden(byId("undo"), true);
  byId("lyrics").focus();
}

function choosePaste() {
  document.querySelector('[name="words"][value="paste"]').checked = true;
}

// Throws TypeError for what is no text. A decoder drops the mark of its own encoding.
function decode(bytes) {
  const [first, second] = bytes;
  let encoding = "utf-8";
  if (first === 0xff && second === 0xfe) encoding = "utf-16le";
  if (first === 0xfe && second === 0xff) encoding = "utf-16be";
  const text = new TextDecoder(encoding, { fatal: true }).decode(bytes);
  if (text.includes("\0")) throw new TypeError();
  return text;
}
