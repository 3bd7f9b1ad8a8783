/* The way down: bands of equal loss over two coefficients, and every runner's path on them. */

import { Surface } from "./canvas.js";
import { clamp, h } from "./dom.js";
import { number } from "./format.js";
import { t, together, told } from "./i18n.js";
import { colour, lookOf, mark } from "./palette.js";
import { coefAt, frameAt } from "./run.js";
import { ground } from "./terrain.js";

export class Contour {
  run = null;
  cross = null; // where the keys have put the cross hair, in coefficients
  #player;
  #ground = document.createElement("canvas");
  #groundOf = null;
  #paths = new Map();

  constructor(canvas, note, player, restart) {
    this.#player = player;
    this.note = note;
    this.restart = restart;
    this.surface = new Surface(canvas, { margin: [10, 12, 36, 52], onResize: () => this.refresh() });
    player.addView(() => this.draw());
    canvas.addEventListener("click", (event) => this.#go(this.surface.at(...this.surface.where(event))));
    canvas.addEventListener("keydown", (event) => this.#key(event));
    canvas.addEventListener("blur", () => this.#aim(null));
  }

  setRun(run) {
    this.run = run;
    this.refresh();
  }

  /** What the axes are: each a coefficient. */
  names() {
    const p = this.run.meta.names.length;
    return this.map.axes.map((axis, i) => (axis >= p * this.run.outputs ? t("intercept") : t("map.coefficient", { name: this.map.names[i] })));
  }

  /** Compute everything that depends on the size, the colours or the run again, before the next picture. */
  refresh() {
    this.#groundOf = null;
    this.#paths.clear();
    this.#player.draw();
  }

  get map() {
    return this.run?.contour ?? null;
  }

  draw() {
    const { surface, map } = this;
    surface.clear();
    if (!map) return;
    [surface.x, surface.y] = [map.x, map.y];
    if (this.#groundOf !== map) this.#paintGround(map);
    const { left, top, width, height } = surface.area;
    surface.context.drawImage(this.#ground, left, top, width, height);
    surface.axes(...this.names(), { grid: false });
    surface.clipped((context) => {
      this.#start(context);
      for (const track of this.run.tracks.values()) this.#path(context, track);
      this.#optimum(context);
      if (this.cross) this.#crossHair(context);
    });
  }

  #paintGround(map) {
    const { width, height } = this.surface.area;
    const ratio = this.surface.ratio;
    ground(this.#ground, map, Math.max(2, Math.round(width * ratio)), Math.max(2, Math.round(height * ratio)));
    this.#groundOf = map;
  }

  /** Pixels of a whole path, and for each frame how many of them belong to it. */
  #pixels(track) {
    const known = this.#paths.get(track.id);
    if (known && known.counts.length === track.length) return known;
    const [a, b] = this.map.axes;
    const points = [];
    const counts = new Int32Array(track.length);
    let [px, py] = [Infinity, Infinity];
    for (let i = 0; i < track.length; i++) {
      const x = clamp(this.surface.px(track.coef[i][a]), -2e3, 4e3);
      const y = clamp(this.surface.py(track.coef[i][b]), -2e3, 4e3);
      if (Math.abs(x - px) + Math.abs(y - py) > 0.7) {
        points.push(x, y);
        [px, py] = [x, y];
      }
      counts[i] = points.length;
    }
    this.#paths.set(track.id, { points, counts });
    return this.#paths.get(track.id);
  }

  #path(context, track) {
    if (!track.length || track.solver === "exact") return;
    const { by, time } = this.#player;
    const { points, counts } = this.#pixels(track);
    const index = frameAt(track[by], time);
    const now = coefAt(track, by, time);
    const head = [this.surface.px(now[this.map.axes[0]]), this.surface.py(now[this.map.axes[1]])];
    const way = [...points.slice(0, counts[index]), ...head.map((value) => clamp(value, -2e3, 4e3))];
    const { colour: paint, dash, shape } = lookOf(track.solver);
    const rim = colour("card");
    const fine = track.solver === "sgd" || track.solver === "mbgd";
    this.surface.polyline(way, paint, fine ? 1.3 : 2, fine ? [] : dash);
    mark(context, shape, ...head, 5.6, paint, rim);
  }

  #start(context) {
    const { start } = this.run.meta;
    if (!start) return;
    const [a, b] = this.map.axes;
    context.beginPath();
    context.arc(this.surface.px(start[a]), this.surface.py(start[b]), 6, 0, 7);
    context.lineWidth = 2;
    context.strokeStyle = colour("ink");
    context.stroke();
  }

  #optimum(context) {
    const { optimum } = this.run.meta;
    if (!optimum) return;
    const [a, b] = this.map.axes;
    mark(context, "star", this.surface.px(optimum.coef[a]), this.surface.py(optimum.coef[b]), 8, colour("exact"), colour("card"));
  }

  #crossHair(context) {
    const [x, y] = [this.surface.px(this.cross[0]), this.surface.py(this.cross[1])];
    context.strokeStyle = colour("accent");
    context.lineWidth = 2.5;
    context.beginPath();
    for (const [dx, dy] of [[11, 0], [0, 11]]) {
      context.moveTo(x - dx, y - dy);
      context.lineTo(x + dx, y + dy);
    }
    context.stroke();
  }

  #go([x, y]) {
    if (!this.map || this.run.outputs > 1) return;
    const [a, b] = this.map.axes;
    const start = [...this.run.meta.start];
    [start[a], start[b]] = [clamp(x, ...this.map.x), clamp(y, ...this.map.y)].map((value) => Number(value.toPrecision(6)));
    this.restart(start);
  }

  #aim(cross) {
    this.cross = cross;
    this.#player.draw();
  }

  #key(event) {
    const { map } = this;
    if (!map) return;
    const moves = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, 1], ArrowDown: [0, -1] };
    if (event.key in moves) {
      const far = event.shiftKey ? 0.1 : 0.02;
      const here = this.cross ?? map.axes.map((axis) => this.run.meta.start?.[axis] ?? 0);
      const [dx, dy] = moves[event.key];
      this.#aim([
        clamp(here[0] + dx * far * (map.x[1] - map.x[0]), ...map.x),
        clamp(here[1] + dy * far * (map.y[1] - map.y[0]), ...map.y),
      ]);
    } else if (event.key === "Enter" && this.cross) this.#go(this.cross);
    else return;
    event.preventDefault();
  }

  /** What the map shows and what it leaves out. */
  describe() {
    const parts = [];
    const condition = this.map && this.run.meta.condition;
    if (this.map) {
      parts.push(t("map.plain"), ...this.map.note.map(told));
      if (this.run.outputs > 1) parts.push(t("map.classes"));
      else parts.push(t("map.click"));
    }
    if (!condition) this.note.textContent = together(parts);
    else {
      const words = h("span", { "data-term": "condition", tabindex: "0" }, t("map.condition", { value: number(condition) }));
      this.note.replaceChildren(together([...parts, ""]), words);
    }
  }

  label() {
    return this.map ? t("map.label", { x: this.names()[0], y: this.names()[1] }) : t("map.none");
  }
}
