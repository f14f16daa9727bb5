// Colours: the palette from CSS variables, and one colour per particle from what it is asked to tell.

import { clamp, scramble } from "./numbers.js";

/**
 * @typedef {import("./scene.js").Scene} Scene
 * @typedef {import("./scene.js").Pane} Pane
 * @typedef {number[]} Rgb 0 … 255
 * @typedef {{ dark: boolean, classes: Rgb[], ink: Rgb, [name: string]: any }} Theme
 */

/**
 * The theme's colours as [r, g, b] in 0…255, read from the page's CSS variables.
 * @param {Element} element
 */
export function readTheme(element) {
  const style = getComputedStyle(element);
  const read = (/** @type {string} */ name) => {
    const hex = style.getPropertyValue(`--fm-${name}`).trim();
    return [1, 3, 5].map((i) => parseInt(hex.slice(i, i + 2), 16) || 0);
  };
  /** @type {Theme} */
  const theme = { dark: document.body.classList.contains("dark"), classes: [], ink: [] };
  for (const name of ["data", "noise", "exact", "learned", "error", "original", "card", "sunk", "border", "chip", "ink", "ink-soft", "ink-faint"])
    theme[name] = read(name);
  for (let k = 0; style.getPropertyValue(`--fm-class-${k}`); k++) theme.classes.push(read(`class-${k}`));
  return theme;
}

/** @param {Rgb} rgb */
export const css = (rgb, alpha = 1) => `rgba(${rgb[0]},${rgb[1]},${rgb[2]},${alpha})`;

/**
 * OKLCH (lightness, chroma, hue in turns) to [r, g, b]: hues of equal weight to the eye.
 * @param {number} l @param {number} c @param {number} turn
 */
export function oklch(l, c, turn) {
  const a = c * Math.cos(2 * Math.PI * turn), b = c * Math.sin(2 * Math.PI * turn);
  const long = (l + 0.3963377774 * a + 0.2158037573 * b) ** 3;
  const middle = (l - 0.1055613458 * a - 0.0638541728 * b) ** 3;
  const short = (l - 0.0894841775 * a - 1.291485548 * b) ** 3;
  return [
    4.0767416621 * long - 3.3077115913 * middle + 0.2309699292 * short,
    -1.2684380046 * long + 2.6097574011 * middle - 0.3413193965 * short,
    -0.0041960863 * long - 0.7034186147 * middle + 1.707614701 * short,
  ].map((v) => {
    const s = clamp(v, 0, 1);
    return Math.round(255 * (s <= 0.0031308 ? 12.92 * s : 1.055 * s ** (1 / 2.4) - 0.055));
  });
}

/** A wheel of 256 hues; particles look their colour up instead of computing it. @param {boolean} dark */
function wheel(dark) {
  return Array.from({ length: 256 }, (_, k) => (dark ? oklch(0.77, 0.125, k / 256) : oklch(0.6, 0.15, k / 256)));
}

/**
 * One colour per particle.
 * @param {Scene} scene @param {Pane} pane @param {Theme} theme
 * @param {string} mode "class", "start", "end", "identity" or "plain"
 * @returns {Uint8Array<ArrayBuffer>} RGBA bytes, length 4 N
 */
export function colourise(scene, pane, mode, theme) {
  const out = new Uint8Array(4 * scene.count), colour = rule(scene, pane, mode, theme);
  for (let i = 0; i < scene.count; i++) {
    out.set(colour(i), 4 * i);
    out[4 * i + 3] = 255;
  }
  return out;
}

/**
 * The colour of particle i.
 * @param {Scene} scene @param {Pane} pane @param {string} mode @param {Theme} theme
 * @returns {(i: number) => Rgb}
 */
function rule(scene, pane, mode, theme) {
  const { labels } = scene;
  if (mode === "class" && labels) return (i) => theme.classes[Math.abs(labels[i]) % theme.classes.length];
  const hues = wheel(theme.dark);
  if (mode === "identity") return (i) => hues[Math.floor(256 * scramble(i))];
  if (mode !== "start" && mode !== "end") return () => theme.ink;
  const from = mode === "start" ? 0 : 2 * scene.last * scene.count;
  return scene.dim === 1 ? byRank(scene, pane, from, hues) : byAngle(scene, pane, from, hues, theme["ink-soft"]);
}

/**
 * On a line: by the order in which the particles lie.
 * @param {Scene} scene @param {Pane} pane @param {number} from where the frame's positions begin @param {Rgb[]} hues
 * @returns {(i: number) => Rgb}
 */
function byRank(scene, pane, from, hues) {
  const p = pane.positions, ranks = new Float32Array(scene.count);
  const order = Array.from(ranks, (_, i) => i).sort((i, j) => p[from + 2 * i] - p[from + 2 * j]);
  order.forEach((i, rank) => (ranks[i] = rank));
  return (i) => hues[Math.floor((0.07 + (0.8 * ranks[i]) / scene.count) * 256)];
}

/**
 * In the plane: by the angle about the cloud's middle.
 * @param {Scene} scene @param {Pane} pane @param {number} from @param {Rgb[]} hues @param {Rgb} grey
 * @returns {(i: number) => Rgb}
 */
function byAngle(scene, pane, from, hues, grey) {
  const p = pane.positions;
  let mx = 0, my = 0, spread = 0;
  for (let i = 0; i < scene.count; i++) {
    mx += p[from + 2 * i] / scene.count;
    my += p[from + 2 * i + 1] / scene.count;
  }
  for (let i = 0; i < scene.count; i++) spread += Math.hypot(p[from + 2 * i] - mx, p[from + 2 * i + 1] - my) / scene.count;
  return (i) => {
    const x = p[from + 2 * i] - mx, y = p[from + 2 * i + 1] - my;
    const rgb = hues[Math.floor((Math.atan2(y, x) / (2 * Math.PI) + 1) * 256) % 256];
    // Nearer the middle the colour pales a little, so that radius can be read as well as angle.
    const pale = 0.22 * Math.exp(-((Math.hypot(x, y) / (0.7 * spread + 1e-9)) ** 2));
    return rgb.map((v, c) => v + (grey[c] - v) * pale);
  };
}
