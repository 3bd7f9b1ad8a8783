/* Numbers as people read them. */

const SUPERSCRIPT = "⁰¹²³⁴⁵⁶⁷⁸⁹";

/** 10⁻³ for -3. */
export function power(exponent) {
  const digits = [...String(Math.abs(exponent))].map((digit) => SUPERSCRIPT[digit]).join("");
  return `10${exponent < 0 ? "⁻" : ""}${digits}`;
}

/** About three figures: 1,204 · 0.0312 · 3.1e-7. */
export function number(value, figures = 3) {
  if (value === null || value === undefined || Number.isNaN(value)) return "–";
  if (!Number.isFinite(value)) return value > 0 ? "∞" : "−∞";
  if (value === 0) return "0";
  const size = Math.abs(value);
  const sign = value < 0 ? "−" : "";
  if (size >= 1e6 || size < 1e-3) {
    const [mantissa, exponent] = size.toExponential(Math.max(0, figures - 2)).split("e");
    return `${sign}${mantissa}·${power(Number(exponent))}`;
  }
  if (size >= 10 ** figures) return sign + Math.round(size).toLocaleString("en-US");
  return sign + String(Number(size.toPrecision(figures)));
}

/** A gap in figures; below `dust`, what rounding leaves, it is no more than about zero. */
export const gapText = (gap, dust) => (gap !== null && gap > 0 && gap < dust ? "≈ 0" : number(gap));

/** 3.2 ms for 0.0032. */
export function duration(seconds) {
  if (seconds === null || seconds === undefined) return "–";
  if (seconds === 0) return "0";
  for (const [unit, size] of [["s", 1], ["ms", 1e-3], ["µs", 1e-6]]) {
    if (seconds >= size || unit === "µs") return `${Number((seconds / size).toPrecision(2))} ${unit}`;
  }
  return "";
}

/** Round values for an axis, about `count` of them between `low` and `high`. */
export function ticks(low, high, count = 5) {
  const span = high - low;
  if (!(span > 0) || !Number.isFinite(span)) return [];
  const raw = span / count;
  const scale = 10 ** Math.floor(Math.log10(raw));
  const step = [1, 2, 2.5, 5, 10].find((factor) => factor * scale >= raw) * scale;
  const found = [];
  for (let i = Math.ceil(low / step - 1e-9); i * step <= high + step * 1e-9; i++) found.push(i * step);
  return found.map((value) => (Math.abs(value) < step * 1e-9 ? 0 : value));
}
