/* Coefficients now against the exact ones: one line for each, a shape for every runner, a bar where they should end. */

import { Surface, shortened } from "./canvas.js";
import { number } from "./format.js";
import { t, together } from "./i18n.js";
import { colour, lookOf, mark } from "./palette.js";
import { coefAt } from "./run.js";

const MOST = 14; // lines that fit a card

export class Coefs {
  run = null;
  output = 0;
  #player;
  #rows = [];

  constructor(canvas, note, player) {
    this.#player = player;
    this.note = note;
    this.surface = new Surface(canvas, { margin: [6, 14, 26, 96], onResize: () => player.draw() });
    player.addView(() => this.draw());
  }

  setRun(run) {
    this.run = run;
    this.refresh();
  }

  /** Choose the lines: all if they fit, else the largest; the intercept only beside a single slope. */
  refresh() {
    this.#rows = [];
    const { meta } = this.run ?? {};
    if (!meta) return;
    const p = meta.names.length;
    const outputs = this.run.outputs;
    const index = (j) => j * outputs + Math.min(this.output, outputs - 1);
    const rows = meta.names.map((name, j) => ({ name, at: index(j) }));
    if (p === 1) rows.push({ name: t("intercept"), at: index(p) });
    for (const row of rows) row.best = meta.optimum?.coef[row.at] ?? null;
    this.#rows = rows.length > MOST ? rows.sort((a, b) => Math.abs(b.best) - Math.abs(a.best)).slice(0, MOST) : rows;
    this.#scale(meta);
    this.#describe(rows.length);
    this.#player.draw();
  }

  /** The axis holds zero, the optimum, and the ways of runners that stay near them. */
  #scale(meta) {
    const bests = this.#rows.map((row) => row.best ?? 0);
    let [low, high] = [Math.min(0, ...bests), Math.max(0, ...bests)];
    const reach = Math.max(-low, high) + 0.8 * (high - low || 1); // where a runner goes further, its shape stays at the edge
    for (const track of this.run.tracks.values()) {
      const every = Math.max(1, Math.floor(track.length / 200));
      for (let i = 0; i < track.length; i += every) {
        for (const row of this.#rows) {
          const value = track.coef[i][row.at];
          if (value === null || Math.abs(value) > reach) continue;
          [low, high] = [Math.min(low, value), Math.max(high, value)];
        }
      }
    }
    const pad = (high - low) * 0.06 || 1;
    this.surface.x = [low - pad, high + pad];
  }

  #describe(total) {
    const zero = this.#rows.filter((row) => row.best === 0).length;
    const parts = [t(this.run.meta.units ? "coefs.standard" : "coefs.note")];
    if (this.run.outputs > 1) parts.unshift(t("coefs.class", { name: this.run.meta.targets[this.output] }));
    if (total > MOST) parts.push(t("coefs.largest", { shown: MOST, total }));
    if (this.run.spec.penalty.kind === "l1") parts.push(t("coefs.zero", { zero, total: this.#rows.length }));
    this.note.textContent = together(parts);
  }

  draw() {
    const { surface, run } = this;
    surface.clear();
    if (!run?.meta || !this.#rows.length) return;
    const room = surface.context.measureText.bind(surface.context);
    const widest = Math.max(...this.#rows.map((row) => room(row.name).width));
    surface.margin[3] = Math.min(120, Math.max(44, widest + 14));
    surface.y = [this.#rows.length - 0.5, -0.5];
    surface.axes("", "", { y: false });
    this.#rows.forEach((row, line) => this.#line(row, line));
  }

  #line(row, line) {
    const { surface } = this;
    const { context } = surface;
    const { left, right, height } = surface.area;
    const y = surface.py(line);
    const tall = Math.min(11, (0.36 * height) / this.#rows.length);
    const dead = row.best === 0;
    context.fillStyle = colour(dead ? "soft" : "ink");
    context.textAlign = "right";
    context.textBaseline = "middle";
    context.fillText(shortened(context, row.name, left - 12), left - 8, y);
    surface.polyline([left, y, right, y], colour("grid"), 1);
    const zero = surface.px(0);
    surface.polyline([zero, y - tall, zero, y + tall], colour("edge"), 1);
    if (row.best !== null) {
      const best = surface.px(row.best);
      if (!dead) surface.polyline([zero, y, best, y], colour("edge"), 2);
      surface.polyline([best, y - tall, best, y + tall], colour("exact"), 2.6);
    }
    const { by, time } = this.#player;
    for (const track of this.run.tracks.values()) {
      if (!track.length || track.solver === "exact") continue;
      const value = coefAt(track, by, time)[row.at];
      const x = Math.min(right, Math.max(left, surface.px(value)));
      const { shape, colour: paint } = lookOf(track.solver);
      mark(context, shape, x, y, Math.min(5, tall * 0.75), paint, colour("card"));
    }
  }

  /** The exact values in words. */
  label() {
    const list = this.#rows.map((row) => `${row.name} ${number(row.best)}`).join(", ");
    return t("coefs.label", { list });
  }
}
