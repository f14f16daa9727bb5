// A scene's particles, arrows and coefficients computed again after a change, in place of those of the file.

import { field, flowFrames, moveAlong, originalFrames } from "./flow.js";
import { path } from "./path.js";

/** @typedef {import("../player/scene.js").Scene} Scene */
/** @typedef {import("../player/scene.js").Pane} Pane */
/** @typedef {import("./flow.js").Live} Live */
/** What has moved: numbers of the path by name, or components of the data. @typedef {{numbers?: Record<string, number>, data?: import("./mixture.js").Component[]}} Change */

const STEPS = 32767;
/** Heun steps of P while something is dragged: two evaluations each. */
const DRAGGED = 20;

/**
 * Whether a change concerns this scene: it has what it takes, and a number of its path, or its mixture, is changed.
 * @param {Scene} scene @param {Change} change
 */
export const follows = ({ live }, { numbers = {}, data }) =>
  live !== null && (Object.keys(numbers).some((name) => name in live.path.numbers) || (data !== undefined && data.length === live.data.length));

/**
 * Compute the scene again with a change, in place.
 * @param {Scene & { live: Live & { parts: Int16Array | null } }} scene
 * @param {Change} change
 */
export function rework(scene, { numbers = {}, data }) {
  const { live } = scene;
  for (const [name, value] of Object.entries(numbers)) if (name in live.path.numbers) live.path.numbers[name] = value;
  if (data && live.parts) {
    moveAlong(live.x0, live.parts, live.data, data);
    live.data = data;
  }
  const at = path(live.path), coefficients = scene.times.map(at);
  scene.a = coefficients.map(({ a }) => a.re);
  scene.b = coefficients.map(({ b }) => b.re);
  const dragged = { ...live, steps: Math.min(live.steps, DRAGGED) };
  for (const pane of scene.panes) {
    pane.counted = {};
    if (pane.flow) pack(scene, pane, flowFrames(dragged, scene.times));
    else pack(scene, pane, originalFrames(pane.one ? toOne(live) : live, scene.times));
    if (pane.lines && !pane.flow) trace(scene, pane);
    if (pane.arrows) point(scene, pane, live);
  }
}

/** All particles on their way to the first one's data point. @param {Live} live @returns {Live} */
function toOne(live) {
  const x0 = live.x0.map((_, i) => live.x0[i % 2]);
  return { ...live, x0 };
}

/** @param {number} value @param {number} centre @param {number} half */
const packed = (value, centre, half) => Math.max(-STEPS, Math.min(STEPS, Math.round(((value - centre) * STEPS) / half)));

/** Frames as the player's integers; on a line the second coordinate is the player's own. @param {Scene} scene @param {Pane} pane @param {Float64Array[]} frames */
function pack({ box: [cx, cy, hx, hy], count, dim }, { positions }, frames) {
  frames.forEach((frame, k) => {
    const start = 2 * k * count;
    for (let i = 0; i < 2 * count; i += 2) {
      positions[start + i] = packed(frame[i], cx, hx);
      if (dim === 2) positions[start + i + 1] = packed(frame[i + 1], cy, hy);
    }
  });
}

/** The grey trajectories: those of the first particles. @param {Scene} scene @param {Pane} pane */
function trace({ frames, count }, { lines, positions }) {
  if (!lines) return;
  const [many, length] = lines.shape;
  for (let line = 0; line < many; line++)
    for (let s = 0; s < length; s++) {
      const from = 2 * (Math.round((s * (frames - 1)) / (length - 1)) * count + line), to = 2 * (line * length + s);
      lines.data[to] = positions[from];
      lines.data[to + 1] = positions[from + 1];
    }
}

/** The arrows: u at their points. @param {Scene} scene @param {Pane} pane @param {Live} live */
function point({ times, box: [cx, cy, hx, hy] }, { arrows }, live) {
  if (!arrows) return;
  const u = field(live), many = arrows.points.length / 2;
  const x = Float64Array.from(arrows.points, (q, i) => (i % 2 ? cy + (hy * q) / STEPS : cx + (hx * q) / STEPS));
  const rows = times.map((t) => {
    const out = new Float64Array(2 * many);
    u(Math.min(0.99, Math.max(0.01, t)))(x, out);
    return out;
  });
  arrows.scale = rows.reduce((most, row) => row.reduce((a, b) => Math.max(a, Math.abs(b)), most), 1e-9);
  rows.forEach((row, k) => row.forEach((v, i) => (arrows.vectors[2 * many * k + i] = packed(v, 0, arrows.scale))));
  arrows.typical = undefined;
}
