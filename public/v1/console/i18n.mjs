// The languages of the console: texts by key, dates and numbers by Intl.

import { choices } from "./keep.mjs";
import { makeStore } from "./lib.mjs";

/** The languages, by the names that they give themselves. */
export const LANGUAGES = { en: "English", zh: "中文" };

/** The language that is shown. */
export const language = makeStore(chosen());

let texts = {};
let formats = {};

function chosen() {
  const kept = choices.read("language");
  const wanted = [kept, ...(navigator.languages ?? [])].map((tag) => `${tag}`.slice(0, 2));
  return wanted.find((tag) => Object.hasOwn(LANGUAGES, tag)) ?? "en";
}

/** Loads a language's texts and shows it. @param {string} tag */
export async function speak(tag) {
  const answer = await fetch(new URL(`./texts/${tag}.json`, import.meta.url));
  if (!answer.ok) throw new Error(`the texts of ${tag} were answered with ${answer.status}`);
  texts = await answer.json();
  formats = {};
  document.documentElement.lang = tag;
  language.set(tag);
}

/** Shows a language, and keeps the choice. @param {string} tag */
export async function choose(tag) {
  await speak(tag);
  choices.write("language", tag);
}

/** Whether there is a text. @param {string} key */
export const has = (key) => Object.hasOwn(texts, key);

const LONGEST = 120;
// Letters that run from right to left, and marks that change the direction.
const TURNS = /[\u0590-\u08ff\u200e\u200f\u202a-\u202e\u2066-\u2069\ufb1d-\ufdff\ufe70-\ufeff]/;

/** A stored text inside a sentence: short, and unable to turn the sentence around. */
function inside(value) {
  if (typeof value === "number") return number(value);
  const whole = String(value);
  const short = whole.length > LONGEST ? `${whole.slice(0, LONGEST)}…` : whole;
  return TURNS.test(short) ? `\u2068${short}\u2069` : short;
}

/**
 * The text of a key, with `{name}` replaced.
 * @param {string} key
 * @param {Record<string, string | number>} [values]
 */
export function t(key, values = {}) {
  const text = has(key) ? texts[key] : key;
  return text.replace(/\{(\w+)\}/g, (all, name) => (name in values ? inside(values[name]) : all));
}

/**
 * A text that depends on a number: `key.one` or `key.other`, with `{n}`.
 * @param {string} key
 * @param {number} n
 * @param {Record<string, string | number>} [values]
 */
export function tn(key, n, values = {}) {
  const form = format("plural", (tag) => new Intl.PluralRules(tag)).select(n);
  return t(has(`${key}.${form}`) ? `${key}.${form}` : `${key}.other`, { n, ...values });
}

function format(name, make) {
  formats[name] ??= make(language.get());
  return formats[name];
}

/** @param {number | string} value */
export function number(value) {
  const by = format("number", (tag) => new Intl.NumberFormat(tag));
  return typeof value === "number" || /^\d+$/.test(value) ? by.format(value) : String(value);
}

/** A moment as day and time. @param {number} at epoch milliseconds */
export const moment = (at) =>
  format(
    "moment",
    (tag) => new Intl.DateTimeFormat(tag, { dateStyle: "medium", timeStyle: "short" }),
  ).format(at);

/** A moment with seconds and zone. @param {number} at epoch milliseconds */
export const precisely = (at) =>
  format(
    "precisely",
    (tag) => new Intl.DateTimeFormat(tag, { dateStyle: "full", timeStyle: "long" }),
  ).format(at);

const DAY_MS = 86_400_000;

/**
 * A day of UTC, and how far away it is: "yesterday (Nov 27, 2026)".
 * @param {string} text as the API has it: 2026-11-27
 */
export function day(text, now = Date.now()) {
  const at = Date.parse(text);
  const days = Math.round((at - Math.floor(now / DAY_MS) * DAY_MS) / DAY_MS);
  const by = format("day", (tag) => [
    new Intl.RelativeTimeFormat(tag, { numeric: "auto" }),
    new Intl.DateTimeFormat(tag, { dateStyle: "medium", timeZone: "UTC" }),
  ]);
  return t("common.day", { away: by[0].format(days, "day"), date: by[1].format(at) });
}

/** When the next day of UTC begins, as epoch milliseconds. */
export const nextDay = (now = Date.now()) => (Math.floor(now / DAY_MS) + 1) * DAY_MS;

/** A list in words: "a, b, and c". @param {string[]} items */
export const list = (items) =>
  format("list", (tag) => new Intl.ListFormat(tag, { type: "conjunction" })).format(items);

/** Several of which one is meant, in words: "a, b, or c". @param {string[]} items */
export const oneOf = (items) =>
  format("oneOf", (tag) => new Intl.ListFormat(tag, { type: "disjunction" })).format(items);

const UNITS = [
  ["day", DAY_MS],
  ["hour", 3_600_000],
  ["minute", 60_000],
  ["second", 1000],
];

/** How far a moment is away: "3 minutes ago". @param {number} at epoch milliseconds */
export function away(at, now = Date.now()) {
  const by = format("away", (tag) => new Intl.RelativeTimeFormat(tag, { numeric: "auto" }));
  // One and a half hours are 90 minutes, and neither one hour nor two.
  const [unit, size] = UNITS.find(([, each]) => Math.abs(at - now) >= 2 * each) ?? UNITS.at(-1);
  return by.format(Math.round((at - now) / size), unit);
}
