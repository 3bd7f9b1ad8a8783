/* The ground of the map: shades and lines of equal loss, one line for every halving decade. */

import { clamp } from "./dom.js";
import { colour } from "./palette.js";

const LINES = 2; // lines in a factor of ten of the loss
const DEEPEST = 5; // factors of ten that are shaded apart, from the highest place of the map down

/** Paint the map into a canvas of `width` times `height` pixels. */
export function ground(canvas, map, width, height) {
  canvas.width = width;
  canvas.height = height;
  const levels = heights(map, width, height);
  const [low, high] = range(map.z);
  const [near, far, line] = ["band-near", "band-far", "band-line"].map((name) => rgb(colour(name)));
  const context = canvas.getContext("2d");
  const image = context.createImageData(width, height);
  for (let row = 0, at = 0; row < height; row++) {
    for (let column = 0; column < width; column++, at++) {
      const level = levels[at] * LINES;
      const share = clamp((Math.floor(level) / LINES - low) / (high - low), 0, 1);
      const across = levels[column + 1 < width ? at + 1 : at - 1] * LINES - level;
      const down = levels[row + 1 < height ? at + width : at - width] * LINES - level;
      const steep = Math.hypot(across, down) || 1e-9;
      const away = Math.abs(level - Math.round(level)) / steep; // pixels to the nearest line
      const ink = Number.isFinite(away) && level / LINES > low ? clamp(1.1 - away, 0, 1) * clamp(1.6 - 2 * steep, 0, 1) : 0;
      for (let c = 0; c < 3; c++) {
        const shade = near[c] + (far[c] - near[c]) * share;
        image.data[4 * at + c] = shade + (line[c] - shade) * ink;
      }
      image.data[4 * at + 3] = 255;
    }
  }
  context.putImageData(image, 0, 0);
}

/** log10 of the gap at every pixel: bilinear in its square root, which near the optimum is a plain cone. */
function heights(map, width, height) {
  const roots = Float64Array.from(map.z, (z) => (z === null ? 1e150 : 10 ** (z / 2)));
  const found = new Float64Array(width * height);
  for (let row = 0, at = 0; row < height; row++) {
    const gy = (1 - row / (height - 1)) * (map.ny - 1);
    const j = Math.min(map.ny - 2, Math.floor(gy));
    for (let column = 0; column < width; column++, at++) {
      const gx = (column / (width - 1)) * (map.nx - 1);
      const i = Math.min(map.nx - 2, Math.floor(gx));
      const corner = j * map.nx + i;
      const [u, v] = [gx - i, gy - j];
      const lower = (1 - u) * roots[corner] + u * roots[corner + 1];
      const upper = (1 - u) * roots[corner + map.nx] + u * roots[corner + map.nx + 1];
      found[at] = 2 * Math.log10(Math.max(1e-160, (1 - v) * lower + v * upper));
    }
  }
  return found;
}

/** The heights between which shades change: down to where only one place in fifty lies lower. */
function range(values) {
  const known = values.filter((value) => value !== null).sort((a, b) => a - b);
  const high = known[known.length - 1];
  return [Math.max(known[Math.floor(known.length / 50)], high - DEEPEST) - 0.3, high];
}

function rgb(text) {
  const numbers = text.match(/[\d.]+/g).map(Number);
  return text.startsWith("color(") ? numbers.slice(0, 3).map((value) => value * 255) : numbers.slice(0, 3);
}
