// Numbers: kept within bounds, scrambled, written, and the round ones of an axis.

/** @param {number} value @param {number} low @param {number} high */
export const clamp = (value, low, high) => Math.min(high, Math.max(low, value));

/** A whole number scrambled to [0, 1): the hue of an identity. @param {number} i */
export function scramble(i) {
  let h = Math.imul(i + 1, 0x9e3779b1);
  h = Math.imul(h ^ (h >>> 15), 0x85ebca6b);
  return ((h ^ (h >>> 13)) >>> 0) / 4294967296;
}

/** With a true minus sign. @param {string} text */
export const minus = (text) => text.replace("-", "−");

/** So many decimals, and never a negative zero. @param {number} value */
export const fixed = (value, digits = 2) => minus(value.toFixed(digits).replace(/^-(?=[0.]*$)/, ""));

/** Round numbers that divide [low, high] into about `count` steps. @param {number} low @param {number} high @param {number} count */
export function ticks(low, high, count) {
  const raw = (high - low) / count, power = 10 ** Math.floor(Math.log10(raw)), step = power * ([1, 2, 5, 10].find((m) => m * power >= raw) || 10);
  const values = [];
  for (let v = Math.ceil(low / step - 1e-9) * step; v <= high + 1e-9 * step; v += step) values.push(Math.abs(v) < step / 1e6 ? 0 : v);
  return { values, digits: clamp(-Math.floor(Math.log10(step)), 0, 6) };
}
