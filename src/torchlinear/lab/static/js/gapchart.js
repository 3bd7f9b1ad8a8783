/* Loss above the optimum, both axes logarithmic; what the clock has not reached yet lies behind a veil. */

import uPlot from "../vendor/uplot/uPlot.esm.js";
import { $, h } from "./dom.js";
import { gapText, number, power } from "./format.js";
import { t, when } from "./i18n.js";
import { colour, lookOf, nameOf, swatch } from "./palette.js";
import { BEFORE, frameAt, placeOf, timeAt } from "./run.js";

const DEEPEST = -16; // log10 of a gap of zero, as far as double precision goes

export class GapChart {
  run = null;
  #chart = null;
  #player;
  #veil = h("div", { class: "future" });
  #now = h("div", { class: "now" });
  #reading = h("div", { class: "reading", hidden: true });
  #shown = 0;

  constructor(root, note, player) {
    this.root = root;
    this.note = note;
    this.#player = player;
    player.addView(() => this.#moment());
    new ResizeObserver(() => this.#resize()).observe(root);
  }

  setRun(run) {
    this.run = run;
    this.rebuild();
  }

  /** Make the chart anew: other runners, another clock, other colours. */
  rebuild() {
    this.#chart?.destroy();
    this.#chart = null;
    if (!this.run?.meta) return;
    const tracks = this.#tracks();
    $("legend").replaceChildren(...tracks.map((track) => h("li", {}, swatch(track.solver), nameOf(track.solver))));
    const options = {
      width: this.root.clientWidth,
      height: this.root.clientHeight,
      padding: [8, 12, 0, 0],
      legend: { show: false },
      cursor: { y: false, points: { size: 7 }, drag: { x: false, y: false } },
      scales: { x: { time: false, range: (_, low, high) => [low, Math.max(high, low + 0.5)] }, y: { range: (_, low, high) => room(low, high) } },
      axes: [this.#axis(t(`by.${this.#player.by}`), 26), this.#axis("", 50)],
      series: [{}, ...tracks.map((track) => this.#series(track))],
      hooks: { setCursor: [(chart) => this.#read(chart)] },
    };
    this.#chart = new uPlot(options, this.#columns(tracks), this.root);
    this.#chart.over.append(this.#veil, this.#now);
    this.root.append(this.#reading);
    this.#chart.over.addEventListener("pointerdown", (event) => this.#scrub(event));
    this.#shown = this.#count();
    this.#moment();
  }

  /** More frames have come: take them in, a few times a second at most. */
  grown() {
    if (!this.#chart || this.#count() === this.#shown) return;
    this.#shown = this.#count();
    this.#chart.setData(this.#columns(this.#tracks()));
    this.#moment();
  }

  /** Runners that take part. */
  #tracks() {
    return [...this.run.tracks.values()].filter((track) => !track.refusal);
  }

  #count() {
    let count = 0;
    for (const track of this.run.tracks.values()) count += track.length;
    return count;
  }

  #axis(label, size) {
    const whole = (_, __, low, high) => decades(low, high);
    return {
      size,
      stroke: () => colour("soft"),
      font: "12px system-ui, sans-serif",
      splits: whole,
      values: (_, values) => values.map((place) => power(Math.round(place + (label ? this.#shift : 0)))),
      grid: { stroke: () => colour("grid"), width: 1 },
      ticks: { show: false },
      gap: 4,
      ...(label ? { label, labelSize: 18, labelFont: "12px system-ui, 'Noto Sans CJK SC', sans-serif", labelGap: 0 } : {}),
      ...(label ? { splits: (_, __, low, high) => decades(low + this.#shift, high + this.#shift).map((value) => value - this.#shift) } : {}),
    };
  }

  /** log10 of the moment at place 0. */
  get #shift() {
    return Math.log10(this.#player.first);
  }

  #series(track) {
    const { dash } = lookOf(track.solver);
    return { label: nameOf(track.solver), stroke: () => lookOf(track.solver).colour, width: 2, dash, points: { show: false }, spanGaps: true };
  }

  #columns(tracks) {
    const { by, first } = this.#player;
    const tables = tracks.map((track) => {
      const places = track[by].map((time) => placeOf(time, first));
      const [x, y] = [[], []];
      places.forEach((place, i) => {
        if (x.length && place <= x[x.length - 1]) return;
        x.push(place);
        y.push(track.gap[i] === null ? null : Math.max(DEEPEST, Math.log10(Math.max(track.gap[i], 1e-300))));
      });
      return [x, y];
    });
    const filled = tables.map((table) => (table[0].length ? table : [[-BEFORE], [null]]));
    return filled.length ? uPlot.join(filled) : [[-BEFORE, 0]];
  }

  #moment() {
    if (!this.#chart) return;
    const x = Math.max(0, this.#chart.valToPos(this.#player.place, "x"));
    this.#veil.style.left = `${x}px`;
    this.#now.style.transform = `translateX(${x}px)`;
  }

  #scrub(event) {
    const over = this.#chart.over;
    const go = (moved) => {
      this.#player.pause();
      this.#player.seek(this.#chart.posToVal(moved.clientX - over.getBoundingClientRect().left, "x"));
    };
    over.setPointerCapture(event.pointerId);
    over.addEventListener("pointermove", go);
    over.addEventListener("pointerup", () => over.removeEventListener("pointermove", go), { once: true });
    go(event);
  }

  #read(chart) {
    const { left } = chart.cursor;
    this.#reading.hidden = left === null || left < 0;
    if (this.#reading.hidden) return;
    const { by, first } = this.#player;
    const time = timeAt(chart.posToVal(left, "x"), first);
    const rows = [...this.run.tracks.values()].filter((track) => track.length).map((track) => {
      const gap = track.gap[frameAt(track[by], time)];
      return h("div", {}, h("span", {}, swatch(track.solver), " ", nameOf(track.solver)), h("span", {}, number(gap)));
    });
    this.#reading.replaceChildren(h("div", {}, when(by, time)), ...rows);
  }

  describe() {
    this.note.textContent = t("gap.note");
  }

  /** Where every curve ends, for screen readers. */
  label() {
    const ends = [...(this.run?.tracks.values() ?? [])].filter((track) => track.length);
    const list = ends.map((track) => `${nameOf(track.solver)} ${gapText(track.gap[track.length - 1], 1e-15 * (track.gap[0] || 1))}`);
    return t("gap.label", { list: list.join(", ") });
  }

  #resize() {
    const { clientWidth: width, clientHeight: height } = this.root;
    if (!this.#chart || (this.#chart.width === width && this.#chart.height === height)) return;
    this.#chart.setSize({ width, height });
    this.#moment();
  }
}

function room(low, high) {
  if (low === null || low === undefined) return [-4, 0];
  const top = Math.min(high, low + 40);
  return [Math.floor(low - 0.15), top + 0.08 * (top - low) + 0.1];
}

function decades(low, high) {
  const every = Math.max(1, Math.ceil((high - low) / 6));
  const found = [];
  for (let place = Math.ceil(low / every) * every; place <= high; place += every) found.push(place);
  return found;
}
