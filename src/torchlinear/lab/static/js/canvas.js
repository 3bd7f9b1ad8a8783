/* A canvas that is sharp on every screen, with a plot area, two scales and quiet axes. */

import { number, ticks } from "./format.js";
import { colour } from "./palette.js";

const FONT = "12px system-ui, -apple-system, 'Segoe UI', Roboto, 'Noto Sans', 'Noto Sans CJK SC', sans-serif";

export class Surface {
  constructor(canvas, { margin = [10, 10, 34, 48], onResize }) {
    this.canvas = canvas;
    this.context = canvas.getContext("2d");
    this.margin = margin;
    this.x = [0, 1];
    this.y = [0, 1];
    new ResizeObserver(() => {
      this.#fit();
      onResize();
    }).observe(canvas);
    this.#fit();
  }

  #fit() {
    this.ratio = window.devicePixelRatio || 1;
    this.width = this.canvas.clientWidth;
    this.height = this.canvas.clientHeight;
    this.canvas.width = Math.round(this.width * this.ratio);
    this.canvas.height = Math.round(this.height * this.ratio);
  }

  /** The plot area in CSS pixels. */
  get area() {
    const [top, right, bottom, left] = this.margin;
    return { left, top, right: this.width - right, bottom: this.height - bottom, width: this.width - left - right, height: this.height - top - bottom };
  }

  clear() {
    this.context.setTransform(this.ratio, 0, 0, this.ratio, 0, 0);
    this.context.clearRect(0, 0, this.width, this.height);
    this.context.font = FONT;
  }

  px(value) {
    const { left, width } = this.area;
    return left + ((value - this.x[0]) / (this.x[1] - this.x[0])) * width;
  }

  py(value) {
    const { bottom, height } = this.area;
    return bottom - ((value - this.y[0]) / (this.y[1] - this.y[0])) * height;
  }

  /** The value of the data at a place on the canvas. */
  at(px, py) {
    const { left, width, bottom, height } = this.area;
    return [
      this.x[0] + ((px - left) / width) * (this.x[1] - this.x[0]),
      this.y[0] + ((bottom - py) / height) * (this.y[1] - this.y[0]),
    ];
  }

  /** Where an event happened, in CSS pixels of the canvas. */
  where(event) {
    const box = this.canvas.getBoundingClientRect();
    return [event.clientX - box.left, event.clientY - box.top];
  }

  /** Draw inside the plot area only. */
  clipped(draw) {
    const { left, top, width, height } = this.area;
    this.context.save();
    this.context.beginPath();
    this.context.rect(left, top, width, height);
    this.context.clip();
    draw(this.context);
    this.context.restore();
  }

  axes(xName, yName, { grid = true, y = true } = {}) {
    const context = this.context;
    const { left, right, top, bottom } = this.area;
    const [across, up] = [ticks(...this.x, Math.max(2, (right - left) / 80)), y ? ticks(...this.y, Math.max(2, (bottom - top) / 45)) : []];
    context.lineWidth = 1;
    context.strokeStyle = colour("grid");
    if (grid) {
      context.beginPath();
      for (const value of across) line(context, Math.round(this.px(value)) + 0.5, top, 0, bottom - top);
      for (const value of up) line(context, left, Math.round(this.py(value)) + 0.5, right - left, 0);
      context.stroke();
    }
    context.fillStyle = colour("soft");
    context.textBaseline = "top";
    context.textAlign = "center";
    for (const value of across) context.fillText(number(value), this.px(value), bottom + 5);
    context.textAlign = "right";
    context.textBaseline = "middle";
    for (const value of up) context.fillText(number(value), left - 6, this.py(value));
    context.fillStyle = colour("ink");
    context.textBaseline = "bottom";
    context.textAlign = "right";
    context.fillText(shortened(context, xName, right - left), right, this.height - 1);
    if (yName) {
      context.textAlign = "left";
      context.textBaseline = "top";
      context.save();
      context.translate(1, bottom);
      context.rotate(-Math.PI / 2);
      context.fillText(shortened(context, yName, bottom - top), 0, 0);
      context.restore();
    }
  }

  polyline(points, paint, width = 2, dash = []) {
    const context = this.context;
    context.beginPath();
    for (let i = 0; i < points.length; i += 2) context.lineTo(points[i], points[i + 1]);
    context.strokeStyle = paint;
    context.lineWidth = width;
    context.lineJoin = "round";
    context.lineCap = "round";
    context.setLineDash(dash);
    context.stroke();
    context.setLineDash([]);
  }
}

function line(context, x, y, dx, dy) {
  context.moveTo(x, y);
  context.lineTo(x + dx, y + dy);
}

/** The text, or as much of it as fits. */
export function shortened(context, text, room) {
  if (context.measureText(text).width <= room) return text;
  let end = text.length;
  while (end > 1 && context.measureText(`${text.slice(0, end)}…`).width > room) end--;
  return `${text.slice(0, end)}…`;
}
