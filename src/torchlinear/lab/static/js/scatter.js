/* The points and every runner's line, now. */

import { Surface } from "./canvas.js";
import { t, together } from "./i18n.js";
import { colour, lookOf, mark, nameOf } from "./palette.js";
import { coefAt, inDataUnits } from "./run.js";
import { number } from "./format.js";

const CURVE = 120; // places at which a curve is computed

export class Scatter {
  run = null;
  points = { x: [], y: [], total: 0 };
  focused = -1;
  output = 0;
  exact = null; // pixels of the exact line
  #player;
  #classes = new Map(); // what the classes of the target's values are called

  constructor(canvas, note, player) {
    this.#player = player;
    this.note = note;
    this.surface = new Surface(canvas, { margin: [10, 12, 36, 52], onResize: () => player.draw() });
    player.addView(() => this.draw());
  }

  /** Show these points; `fit` moves the axes so that all are seen. */
  setPoints(points, { fit = true } = {}) {
    this.points = points;
    this.#classes.clear();
    if (fit && points.x.length) {
      this.surface.x = padded(points.x);
      this.surface.y = padded(points.y);
    }
    this.#player.draw();
  }

  setRun(run) {
    const before = this.probability;
    this.run = run;
    this.#classes.clear();
    if (this.probability) this.surface.y = [-0.06, 1.06];
    else if (before && this.points.y.length) this.surface.y = padded(this.points.y);
    this.#player.draw();
  }

  /** Whether the lines are probabilities of a class. */
  get probability() {
    return ["logistic", "softmax"].includes(this.run?.spec.loss);
  }

  /** Height of a point: for classes whether it belongs to the class shown. */
  height(y) {
    if (!this.probability) return y;
    if (!this.#classes.has(y)) this.#classes.set(y, this.#classOf(y));
    return this.#classes.get(y) === this.className() ? 1 : 0;
  }

  /** What the class of a value is called: a label comes as its place in the list, a number as itself. */
  #classOf(y) {
    const { kind, levels } = this.run.dataset.columns.find(({ name }) => name === this.points.target) ?? {};
    if (!levels) return "";
    if (kind === "label") return levels[y];
    return levels.reduce((best, level) => (Math.abs(level - y) < Math.abs(best - y) ? level : best));
  }

  draw() {
    const { surface } = this;
    surface.clear();
    const feature = this.points.feature ?? "x";
    const target = this.points.target ?? "y";
    const up = this.probability ? t("fit.probability", { name: this.className() }) : target;
    surface.axes(feature, up);
    surface.clipped((context) => {
      if (this.run?.meta && this.run.meta.names.includes(this.points.feature)) this.#lines(context);
      this.#points(context);
      this.#star(context);
    });
  }

  className() {
    const { targets } = this.run.meta ?? { targets: [] };
    return targets[this.run.spec.loss === "softmax" ? this.output : 0] ?? "1";
  }

  #points(context) {
    const { x, y } = this.points;
    const size = x.length > 500 ? 2.4 : x.length > 120 ? 3.2 : 4.4;
    context.fillStyle = colour("point");
    context.strokeStyle = colour("card");
    context.lineWidth = 1;
    context.globalAlpha = x.length > 500 ? 0.4 : 0.9;
    for (let i = 0; i < x.length; i++) {
      context.beginPath();
      context.arc(this.surface.px(x[i]), this.surface.py(this.height(y[i])), size, 0, 7);
      context.fill();
      if (x.length <= 500) context.stroke();
    }
    context.globalAlpha = 1;
    if (this.focused >= 0 && this.focused < x.length) {
      context.beginPath();
      context.arc(this.surface.px(x[this.focused]), this.surface.py(this.height(y[this.focused])), size + 5, 0, 7);
      context.lineWidth = 2.5;
      context.strokeStyle = colour("accent");
      context.stroke();
    }
  }

  #lines(context) {
    const { run, surface } = this;
    const { by, time } = this.#player;
    const rim = colour("card");
    const exact = run.meta.optimum && this.curve(run.meta.optimum.coef);
    const look = lookOf("exact");
    if (exact) surface.polyline(exact, look.colour, 1.6, look.dash);
    let place = 0.08;
    for (const track of run.tracks.values()) {
      if (!track.length || track.solver === "exact") continue;
      const { colour: paint, dash, shape } = lookOf(track.solver);
      const points = this.curve(coefAt(track, by, time));
      surface.polyline(points, rim, 4.5);
      surface.polyline(points, paint, 2.4, dash);
      const at = 2 * Math.round(place * (points.length / 2 - 1));
      mark(context, shape, points[at], points[at + 1], 5.2, paint, rim);
      place += 0.11;
    }
    this.exact = exact;
  }

  /** The mark of the exact line lies above the points. */
  #star(context) {
    const { exact } = this;
    if (!this.run?.meta || !exact) return;
    const at = exact.length - 4; // right of the last point
    mark(context, "star", exact[at], exact[at + 1], 7, colour("exact"), colour("card"));
  }

  /** The model's line or curve in pixels, the other features at their means. */
  curve(coef) {
    const { run, surface } = this;
    const outputs = run.outputs;
    const j = run.meta.names.indexOf(this.points.feature);
    const lines = Array.from({ length: outputs }, (_, k) => {
      const { slopes, intercept } = inDataUnits(coef, run.meta, outputs, k);
      const others = slopes.reduce((sum, slope, i) => (i === j ? sum : sum + slope * run.meta.means[i]), intercept);
      return [slopes[j], others];
    });
    const count = this.probability ? CURVE : 24;
    const pixels = [];
    for (let i = 0; i < count; i++) {
      const x = surface.x[0] + ((surface.x[1] - surface.x[0]) * i) / (count - 1);
      const etas = lines.map(([slope, rest]) => slope * x + rest);
      const height = surface.py(this.#response(etas));
      pixels.push(surface.px(x), Math.max(-1e4, Math.min(1e4, height)));
    }
    return pixels;
  }

  #response(etas) {
    if (!this.probability) return etas[0];
    if (etas.length === 1) return 1 / (1 + Math.exp(-etas[0]));
    const top = Math.max(...etas);
    const weights = etas.map((eta) => Math.exp(eta - top));
    return weights[Math.min(this.output, etas.length - 1)] / weights.reduce((sum, weight) => sum + weight, 0);
  }

  /** The equation of the best line, and what the view leaves out. */
  describe(editable) {
    const { run, points } = this;
    const parts = [];
    const optimum = run?.meta?.optimum;
    if (optimum && run.meta.names.length === 1 && !this.probability) {
      const { slopes, intercept } = inDataUnits(optimum.coef, run.meta, 1);
      const dust = 1e-12 * Math.max(...points.y.map(Math.abs)); // of rounding: no part of the answer
      const rest = Math.abs(intercept) < dust ? 0 : intercept;
      const sign = rest < 0 ? "−" : "+";
      const equation = `${run.spec.target} = ${number(slopes[0], 4)} ${run.meta.names[0]} ${sign} ${number(Math.abs(rest), 4)}`;
      parts.push(t("fit.equation", { equation }));
    }
    if (run?.meta?.names.length > 1) parts.push(t("fit.others", { feature: points.feature }));
    if (points.total > points.x.length) parts.push(t("fit.thinned", { shown: number(points.x.length, 6), total: number(points.total, 9) }));
    if (editable) parts.push(t(matchMedia("(pointer: coarse)").matches ? "fit.touch" : "fit.edit"));
    this.note.textContent = together(parts);
  }

  /** What a screen reader says of the picture. */
  label() {
    const runners = [...(this.run?.tracks.values() ?? [])].map((track) => nameOf(track.solver)).join(", ");
    return t("fit.label", { count: this.points.x.length, feature: this.points.feature ?? "x", target: this.points.target ?? "y", runners });
  }
}

function padded(values) {
  let [low, high] = [Infinity, -Infinity];
  for (const value of values) [low, high] = [Math.min(low, value), Math.max(high, value)];
  const pad = (high - low) * 0.09 || Math.abs(high) * 0.1 || 1;
  return [low - pad, high + pad];
}
