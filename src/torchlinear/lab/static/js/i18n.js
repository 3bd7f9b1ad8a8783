/* Words in two languages: English and 中文, following the browser unless the user chose. */

import { duration, number } from "./format.js";

let words = {};
let current = "en";

/** "zh" or "en": the choice, or the first of the browser's languages that we speak. */
export function preferred(choice) {
  if (choice) return choice;
  for (const language of navigator.languages ?? [navigator.language]) {
    if (/^zh\b/i.test(language)) return "zh";
    if (/^en\b/i.test(language)) return "en";
  }
  return "en";
}

/** Load a language and write it into the document. */
export async function speak(language) {
  const answer = await fetch(`./static/messages_${language}.json`);
  words = await answer.json();
  current = language;
  document.documentElement.lang = language === "zh" ? "zh-CN" : "en";
  translate(document);
}

export const language = () => current;

/** Whether there is a text for `key`. */
export const knows = (key) => key in words;

/** The text for `key`, with {name} replaced by `values.name`. */
export function t(key, values = {}) {
  const text = words[key];
  if (text === undefined) return key;
  return text.replace(/\{(\w+)\}/g, (whole, name) => (name in values ? values[name] : whole));
}

/** What the server says in both languages, in that of the page. */
export const told = (both) => both[current] ?? both.en;

/** Sentences one after the other; between Chinese ones there is no space. */
export const together = (sentences) => sentences.join(current === "zh" ? "" : " ");

/** A moment of the clock "passes" or "seconds" in words. */
export function when(by, time) {
  if (time === 0) return t("clock.start");
  if (by === "seconds") return t("clock.seconds", { time: duration(time) });
  const passes = number(time, 4);
  return passes === "1" ? t("clock.pass") : t("clock.passes", { passes });
}

/** Write the texts of everything below `root` that names one by data-t or data-t-label. */
export function translate(root) {
  for (const element of root.querySelectorAll("[data-t]")) element.textContent = t(element.dataset.t);
  for (const element of root.querySelectorAll("[data-t-label]")) element.setAttribute("aria-label", t(element.dataset.tLabel));
}
