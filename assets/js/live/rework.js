// A scene's particles, arrows and coefficients computed again after a change, in place of those of the file.

import { field, flowFrames, moveAlong, original, originalFrames } from "./flow.js";
import { path } from "./path.js";

/** @typedef {import("../player/scene.js").Scene} Scene */
/** @typedef {import("../player/scene.js").Pane} Pane */
/** @typedef {import("./flow.js").Live} Live */
/**
 * What has moved: numbers of the path by name, or the components of the data.
 * @typedef {{ numbers?: Record<string, number>, data?: import("./mixture.js").Component[] }} Change
 */

const STEPS = 32767;
/** Heun steps of P while something is dragged: two evaluations each. */
export const DRAGGED = 20;

/**
 * Compute a scene again with a change, in place.
 * @param {Scene} scene
 * @param {Change} change
 * @returns {boolean} whether the change is one of this scene, and was made
 */
export function rework(scene, { numbers = {}, data }) {
  const law = scene.live;
  const mine = law ? Object.entries(numbers).filter(([name]) => name in law.path.numbers) : [];
  const moved = law && data && scene.labels && data.length === law.data.length ? data : null;
  if (!law || !(mine.length || moved)) return false;
  scene.ends ??= endPoints(scene, law);
  // A latent of strength 0 has left no trace in the frames: its scene comes when the slider is let go.
  if (!scene.ends.z && law.path.gamma_squared !== "0") return false;
  for (const [name, value] of mine) law.path.numbers[name] = value;
  if (moved && scene.labels) {
    moveAlong(scene.ends.x0, scene.labels, law.data, moved);
    law.data = moved;
  }
  const coefficients = scene.times.map(path(law.path));
  scene.a = coefficients.map(({ a }) => a.re);
  scene.b = coefficients.map(({ b }) => b.re);
  const live = { ...law, ...scene.ends };
  for (const pane of scene.panes) show(scene, pane, live);
  return true;
}

/** @param {Scene} scene @param {Pane} pane @param {Live} live */
function show(scene, pane, live) {
  pane.counted = {};
  if (pane.shows === "flow") {
    pack(scene, pane, flowFrames({ ...live, steps: Math.min(live.steps, DRAGGED) }, scene.times));
  } else {
    pack(scene, pane, originalFrames(pane.shows === "one" ? toOne(live) : live, scene.times));
    trace(scene, pane);
  }
  point(scene, pane, live);
}

/**
 * End points and latents of the particles, from the frames of their paths: x₀ stands in the last, x₁ in the first, z
 * in between.
 * @param {Scene} scene
 * @param {import("./flow.js").Law} law
 */
function endPoints(scene, law) {
  const at = path(law.path), middle = scene.frames >> 1;
  const x0 = places(scene, scene.last), x1 = places(scene, 0), between = places(scene, middle);
  const first = at(scene.times[0]), c = at(scene.times[middle]);
  const carried = new Float64Array(x0.length);
  original({ x0, x1: new Float32Array(x1.length), z: null }, first, carried);
  // Where a₁ is not 0, x₁ is what is left of the first frame.
  x1.forEach((x, i) => (x1[i] = (x - carried[i]) / first.b.re));
  if (!c.gamma) return { x0, x1, z: null };
  original({ x0, x1, z: null }, c, carried);
  return { x0, x1, z: between.map((x, i) => (x - carried[i]) / c.gamma) };
}

/** The places of a frame of the original paths; on a line the second coordinate is 0. @param {Scene} scene @param {number} k */
function places({ panes: [{ positions }], count, box: [cx, cy, hx, hy], dim }, k) {
  return Float32Array.from({ length: 2 * count }, (_, i) => {
    const q = positions[2 * k * count + i] / STEPS;
    return i % 2 ? (dim === 2 ? cy + hy * q : 0) : cx + hx * q;
  });
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
