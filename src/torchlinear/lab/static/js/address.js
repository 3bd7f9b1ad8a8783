/* The state in the fragment of the address, both ways. */

import { decode, encode } from "./state.js";

let written = location.hash;

/** Write the state into the address; a new lesson makes a new entry of the history. */
export function write(state, { entry = false } = {}) {
  const fragment = encode(state);
  written = fragment ? `#${fragment}` : "";
  const address = `${location.pathname}${location.search}${written}`;
  if (entry) history.pushState(null, "", address);
  else history.replaceState(null, "", address);
}

/** Call `follow(state)` when the user opens another link on this page or goes back. */
export function watchAddress(follow) {
  const read = () => {
    if (location.hash === written) return;
    written = location.hash;
    follow(decode(location.hash), location.hash);
  };
  addEventListener("hashchange", read);
  addEventListener("popstate", read);
}

/** Whether a fragment names a lesson and leaves everything about its run to it. */
export function bareLesson(fragment) {
  const keys = [...new URLSearchParams(fragment.replace(/^#/, "")).keys()];
  return keys.includes("lesson") && keys.every((key) => ["lesson", "task", "lang", "theme", "speed", "by"].includes(key));
}
