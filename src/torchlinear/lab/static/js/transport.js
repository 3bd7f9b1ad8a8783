/* The bar with play, pause, step, the slider over time and the clock. */

import { $, face } from "./dom.js";
import { t, when } from "./i18n.js";
import { BEFORE } from "./run.js";

const FINE = 1000; // places of the slider

export function watchTransport(player, store) {
  const scrub = $("scrub");
  $("play").addEventListener("click", () => toggle(player));
  $("step").addEventListener("click", () => player.step());
  $("rewind").addEventListener("click", () => {
    player.pause();
    player.seek(-BEFORE);
  });
  scrub.addEventListener("input", () => {
    player.pause();
    player.seek(-BEFORE + (Number(scrub.value) / FINE) * (player.last + BEFORE));
  });
  $("speed").addEventListener("change", () => store.set({ speed: Number($("speed").value) }));
  $("by").addEventListener("change", () => store.set({ by: $("by").value }));
  document.addEventListener("keydown", (event) => keys(event, player));
  player.onPlay(() => label(player));
  player.addView(() => follow(player, scrub));
}

const toggle = (player) => (player.playing ? player.pause() : player.play());

/** k plays and pauses, the full stop steps, the comma steps back; never while somebody types or picks. */
function keys(event, player) {
  if (event.ctrlKey || event.metaKey || event.altKey) return;
  if (event.target.closest("input:not([type=range]):not([type=checkbox]), select, textarea, dialog")) return;
  if (event.key === "k") toggle(player);
  else if (event.key === ".") player.step();
  else if (event.key === ",") player.step(true);
  else return;
  event.preventDefault();
}

/** Write the words of the buttons, in the language and for the state of now. */
export function label(player) {
  const playing = player.playing;
  $("play").replaceChildren(...face(playing ? "pause" : "play", t(playing ? "player.pause" : "player.play")));
  $("step").replaceChildren(...face("step", t("player.step")));
  $("rewind").replaceChildren(...face("rewind", t("player.rewind")));
}

function follow(player, scrub) {
  const share = (player.place + BEFORE) / (player.last + BEFORE || 1);
  const value = String(Math.round(FINE * share));
  if (scrub.value !== value) scrub.value = value;
  const words = when(player.by, player.time);
  if ($("clock").textContent === words) return;
  $("clock").textContent = words;
  scrub.setAttribute("aria-valuetext", words);
}
