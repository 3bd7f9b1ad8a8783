/* The table: every runner against the exact solver, and why it came out so. */

import { $, h } from "./dom.js";
import { duration, gapText, number } from "./format.js";
import { knows, t, told } from "./i18n.js";
import { nameOf, swatch } from "./palette.js";
import { frameAt } from "./run.js";

const LEVELS = ["0.1", "0.01", "0.0001"];
const BETWEEN = 90; // ms between two readings of the gap column: faster than that nobody reads

export class Standings {
  run = null;
  #player;
  #cells = [];
  #when = 0;

  constructor(table, why, player) {
    Object.assign(this, { table, why });
    this.#player = player;
    player.addView(() => this.#live());
  }

  setRun(run) {
    this.run = run;
    this.render();
  }

  render() {
    const { run } = this;
    if (!run?.meta) return;
    this.#cells = [];
    const head = h("thead", {}, h("tr", {}, ...["runner", "now", "ten", "one", "tiny", "rate", "status"].map((key) =>
      h("th", { scope: "col" }, h("span", TERMS[key] ? { "data-term": TERMS[key], tabindex: "0" } : {}, t(`standings.${key}`))))));
    const body = h("tbody", {}, ...this.#order().map((row) => this.#row(row)));
    const caption = h("caption", { class: "hidden" }, t("standings.caption"));
    this.table.replaceChildren(caption, head, body);
    this.#explain();
    this.#when = 0;
    this.#live();
  }

  /** Best first once the run is over; the exact solver last, as what the others are measured by. */
  #order() {
    const { run } = this;
    const ends = new Map((run.end?.standings ?? []).map((row) => [row.runner, row]));
    const tracks = [...run.tracks.values()].filter((track) => track.solver !== "exact");
    const places = [...ends.keys()];
    const place = (track) => (places.includes(track.id) ? places.indexOf(track.id) : places.length);
    tracks.sort((a, b) => place(a) - place(b));
    const rows = tracks.map((track) => ({ track, solver: track.solver, end: ends.get(track.id) }));
    const known = [...ends.values()].find((row) => row.runner === "exact");
    return [...rows, { track: null, solver: "exact", end: known ?? null }];
  }

  #row({ track, solver, end }) {
    const exact = solver === "exact";
    const now = h("td", {}, exact ? "0" : "–");
    if (track) this.#cells.push([now, track]);
    const cells = LEVELS.map((level) => this.#within(solver, end, level, track?.refusal));
    const rate = h("td", {}, track?.lr ? number(track.lr) : "–");
    const name = h("span", { "data-term": solver, tabindex: exact ? "0" : null }, exact ? t("standings.exact") : nameOf(solver));
    return h("tr", exact ? { class: "exact" } : {},
      h("th", { scope: "row", title: track ? told(track.label) : "" }, swatch(solver), name), now, ...cells, rate, this.#status(solver, end, track?.refusal));
  }

  #within(solver, end, level, refused) {
    if (solver === "exact") {
      const { passes, seconds } = this.run.meta.exact;
      const words = passes === 1 ? t("standings.once") : t("standings.passes", { passes: number(passes) });
      return h("td", {}, words, h("small", {}, ` · ${duration(seconds)}`));
    }
    const reached = end?.within?.[level];
    if (!reached) return h("td", {}, refused ? "–" : end ? t("standings.never") : "…");
    return h("td", {}, number(reached.passes), h("small", {}, ` · ${duration(reached.seconds)}`));
  }

  #status(solver, end, refused) {
    if (solver === "exact") return h("td", {}, t("status.reference"));
    if (refused) return h("td", { class: "bad" }, t("status.refused"));
    const status = end?.status ?? "";
    const key = `status.${status}`;
    const kind = status === "diverged" ? "bad" : status === "converged" ? "good" : null;
    return h("td", { class: kind }, status ? (knows(key) ? t(key) : status) : "…");
  }

  #explain() {
    const sentences = (this.run.end?.why ?? []).map((why) => named(told(why)));
    const refusals = [...this.run.tracks.values()].filter((track) => track.refusal);
    sentences.push(...refusals.map((track) => t("why.refused", { runner: nameOf(track.solver), why: told(track.refusal) })));
    if (!sentences.length) this.why.replaceChildren();
    else this.why.replaceChildren(h("h3", {}, t("why.title")), h("ul", {}, ...sentences.map((sentence) => h("li", {}, sentence))));
  }

  #live() {
    const now = performance.now();
    if (!this.run || (this.#player.playing && now - this.#when < BETWEEN)) return;
    this.#when = now;
    const { by, time } = this.#player;
    for (const [cell, track] of this.#cells) {
      if (track.length) cell.textContent = gapText(track.gap[frameAt(track[by], time)], 1e-15 * (track.gap[0] || 1));
    }
  }

  /** The result in one sentence, for screen readers. */
  sentence() {
    const [best] = this.#order();
    if (!best?.track || !this.run.end) return "";
    return t("said.done", { runner: nameOf(best.solver), gap: gapText(best.end?.gap ?? null, 1e-15) });
  }
}

/** The names of algorithms as papers write them. */
const named = (sentence) => sentence.replace(/\b(bgd|sgd|mbgd|adagrad|rmsprop|adam|lbfgs|newton)\b/g, nameOf);

const TERMS = { now: "gap", ten: "within", one: "within", tiny: "within", rate: "lr", status: "end" };

/** Fill the links under the table that belong to a run. */
export function linkReport(address) {
  const link = $("report");
  if (address) link.href = address;
  else link.removeAttribute("href");
}
