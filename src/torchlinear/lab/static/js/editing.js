/* Points under the hand: drag, double click, alt or right click; with keys: arrows, Enter, Delete. */

import { t } from "./i18n.js";
import { clamp } from "./dom.js";
import { number } from "./format.js";

const HOLD = 600; // ms that a finger rests on a point to remove it
const REACH = { mouse: 13, pen: 16, touch: 26 }; // pixels around a point in which the hand takes it

export class Editing {
  enabled = false;
  #scatter;
  #changed;
  #say;
  #dragging = false;
  #holding = 0;
  #tapped = { when: 0, x: 0, y: 0 };

  /** `changed(points, settled)` after every movement; `say(sentence)` for screen readers. */
  constructor(scatter, { changed, say }) {
    this.#scatter = scatter;
    this.#changed = changed;
    this.#say = say;
    const canvas = scatter.surface.canvas;
    canvas.addEventListener("pointerdown", (event) => this.#down(event));
    canvas.addEventListener("pointermove", (event) => this.#move(event));
    for (const kind of ["pointerup", "pointercancel"]) canvas.addEventListener(kind, () => this.#up());
    canvas.addEventListener("touchstart", (event) => this.#claim(event), { passive: false });
    canvas.addEventListener("contextmenu", (event) => this.enabled && event.preventDefault());
    canvas.addEventListener("keydown", (event) => this.#key(event));
    canvas.addEventListener("blur", () => this.#focus(-1));
  }

  /** A finger on a point moves the point, anywhere else it scrolls the page. */
  #claim(event) {
    const where = this.#scatter.surface.where(event.touches[0]);
    if (this.enabled && this.#nearest(where, REACH.touch) >= 0) event.preventDefault();
  }

  #nearest([px, py], reach) {
    const { surface, points } = this.#scatter;
    let [best, distance] = [-1, reach];
    for (let i = 0; i < points.x.length; i++) {
      const away = Math.hypot(surface.px(points.x[i]) - px, surface.py(points.y[i]) - py);
      if (away < distance) [best, distance] = [i, away];
    }
    return best;
  }

  #down(event) {
    if (!this.enabled) return;
    const where = this.#scatter.surface.where(event);
    const near = this.#nearest(where, REACH[event.pointerType] ?? 16);
    if (near >= 0 && (event.button === 2 || event.altKey)) {
      this.#remove(near);
      return;
    }
    if (event.button !== 0) return;
    const twice = event.timeStamp - this.#tapped.when < 400 && Math.hypot(where[0] - this.#tapped.x, where[1] - this.#tapped.y) < 12;
    this.#tapped = { when: event.timeStamp, x: where[0], y: where[1] };
    if (near < 0) {
      if (twice) this.#add(this.#scatter.surface.at(...where));
      return;
    }
    event.target.setPointerCapture(event.pointerId);
    this.#dragging = true;
    this.#focus(near);
    if (event.pointerType === "touch") this.#holding = setTimeout(() => this.#drop(near), HOLD);
  }

  #drop(index) {
    this.#dragging = false;
    this.#remove(index);
  }

  #move(event) {
    const { surface } = this.#scatter;
    if (!this.#dragging) {
      const near = this.enabled && this.#nearest(surface.where(event), REACH[event.pointerType] ?? 16) >= 0;
      surface.canvas.style.cursor = near ? "grab" : this.enabled ? "crosshair" : "default";
      return;
    }
    surface.canvas.style.cursor = "grabbing";
    if (Math.hypot(surface.where(event)[0] - this.#tapped.x, surface.where(event)[1] - this.#tapped.y) > 6) clearTimeout(this.#holding);
    this.#put(this.#scatter.focused, surface.at(...surface.where(event)), false);
  }

  #up() {
    clearTimeout(this.#holding);
    if (!this.#dragging) return;
    this.#dragging = false;
    this.#changed(this.#scatter.points, true);
  }

  #put(index, [x, y], settled) {
    const { surface, points } = this.#scatter;
    const moved = { ...points, x: [...points.x], y: [...points.y] };
    moved.x[index] = clamp(x, ...surface.x);
    moved.y[index] = clamp(y, ...surface.y);
    this.#change(moved, settled);
  }

  #add([x, y]) {
    const { points } = this.#scatter;
    this.#change({ ...points, x: [...points.x, x], y: [...points.y, y], total: points.x.length + 1 }, true);
    this.#focus(points.x.length);
    this.#say(t("edit.added", { x: number(x), y: number(y) }));
  }

  #remove(index) {
    const { points } = this.#scatter;
    if (points.x.length <= 2) {
      this.#say(t("edit.two"));
      return;
    }
    const without = (values) => values.filter((_, i) => i !== index);
    this.#change({ ...points, x: without(points.x), y: without(points.y), total: points.x.length - 1 }, true);
    this.#focus(Math.min(index, points.x.length - 2), false);
    this.#say(t("edit.removed", { count: points.x.length - 1 }));
  }

  #change(points, settled) {
    this.#scatter.setPoints(points, { fit: false });
    this.#changed(points, settled);
  }

  #focus(index, aloud = false) {
    const { points } = this.#scatter;
    this.#scatter.focused = index;
    this.#scatter.setPoints(points, { fit: false });
    if (aloud) this.#say(t("edit.point", { i: index + 1, count: points.x.length, x: number(points.x[index]), y: number(points.y[index]) }));
  }

  #key(event) {
    if (!this.enabled) return;
    const { surface, points, focused } = this.#scatter;
    const count = points.x.length;
    const far = event.shiftKey ? 0.1 : 0.02;
    const moves = { ArrowLeft: [-far, 0], ArrowRight: [far, 0], ArrowUp: [0, far], ArrowDown: [0, -far] };
    const turn = { PageDown: 1, PageUp: -1, n: 1, p: -1 }[event.key];
    if (turn) this.#focus((Math.max(focused, turn < 0 ? 0 : -1) + turn + count) % count, true);
    else if (event.key in moves && focused < 0) this.#focus(0, true);
    else if (event.key in moves) {
      const [dx, dy] = moves[event.key];
      this.#put(focused, [points.x[focused] + dx * (surface.x[1] - surface.x[0]), points.y[focused] + dy * (surface.y[1] - surface.y[0])], true);
      this.#focus(focused, true);
    } else if (["Delete", "Backspace"].includes(event.key) && focused >= 0) this.#remove(focused);
    else if (["Enter", "Insert"].includes(event.key)) this.#add([(surface.x[0] + surface.x[1]) / 2, (surface.y[0] + surface.y[1]) / 2]);
    else return;
    event.preventDefault();
  }
}
