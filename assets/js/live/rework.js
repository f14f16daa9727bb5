// A scene's particles, arrows and coefficients, computed here; and again after a change.

import { between, field, flowFrames, largestError, moveAlong, originalFrames } from "./flow.js";
import { path } from "./path.js";

/** @typedef {import("../player/scene.js").Scene} Scene */
/** @typedef {import("../player/scene.js").Pane} Pane */
/** @typedef {import("./flow.js").Live} Live */
/** @typedef {import("./mixture.js").Component} Component */
/** @typedef {import("./path.js").PathTexts} PathTexts */
/**
 * What has moved: the path, numbers of it by name, the components of the data, the standard deviation of all; or, of
 * one player, the solver of P and its steps.
 * @typedef {{ path?: PathTexts, numbers?: Record<string, number>, data?: Component[], spread?: number, player?: string,
 *   solver?: import("./solve.js").Tableau, steps?: number }} Change
 */

const STEPS = 32767;
/** Heun steps of P while something is dragged: two evaluations each. */
export const DRAGGED = 20;

/**
 * Compute what a scene leaves to the browser.
 * @param {Scene} scene
 * @param {number} [most] steps of the solver
 */
export function fill(scene, most = Infinity) {
  const { live, times } = scene;
  if (!live) return;
  live.file ??= said(live);
  const coefficients = times.map(path(live.path));
  scene.a = coefficients.map(({ a }) => a.re);
  scene.b = coefficients.map(({ b }) => b.re);
  const capped = live.steps > most ? { ...live, steps: most } : live;
  for (const pane of scene.panes) if (pane.shows && (pane.shows !== "flow" || isQuick(live))) show(scene, pane, capped);
}

/**
 * A path with a change, or null where the change is none of it.
 * @param {PathTexts} texts @param {Change} change @returns {PathTexts | null}
 */
export function withChange(texts, { path: other, numbers = {} }) {
  const { numbers: old, ...rest } = other ?? texts, mine = Object.entries(numbers).filter(([name]) => name in old);
  return other || mine.length ? { ...rest, numbers: { ...old, ...Object.fromEntries(mine) } } : null;
}

/** The components of the data with a change, or null likewise. @param {Component[]} data @param {Change} change @returns {Component[] | null} */
function dataWith(data, { data: moved, spread }) {
  if (moved) return moved.length === data.length ? moved : null;
  return spread ? data.map((part) => ({ ...part, covariance: [spread ** 2, 0, 0, spread ** 2] })) : null;
}

/**
 * Compute a scene again with a change, in place.
 * @param {Scene} scene
 * @param {Change} change
 * @returns {boolean} whether the change is one of this scene, and was made
 */
export function rework(scene, change) {
  const { live, labels } = scene;
  if (!live) return false;
  const law = live.law?.kind === "mixture" && !live.law.told ? live.law : null;
  const changed = withChange(live.path, change), data = law && labels && dataWith(law.data, change);
  const sampler = change.solver || change.steps;
  if (!(changed || data || sampler) || (changed && changed.gamma_squared !== "0" && !live.z)) return false;
  if (changed) live.path = changed;
  if (law && labels && data) {
    moveAlong(live.x0, labels, law.data, data);
    law.data = data;
  }
  if (sampler) Object.assign(live, { solver: change.solver ?? live.solver, steps: change.steps ?? live.steps });
  if (changed || data) delete live.fine;
  fill(scene, live.judge ? Infinity : DRAGGED);
  return true;
}

/** Whether P is computed with every frame of a drag: a few components' sum. @param {Live} live */
export const isQuick = ({ law }) => law?.kind === "mixture";

/** Put P where an engine has taken it. @param {Scene} scene @param {Pane} pane @param {Float32Array[]} walked places at the knots */
export function place(scene, pane, walked) {
  pane.counted = {};
  pack(scene, pane, between(walked, scene.times));
}

/** Whether a scene is another than its file's. @param {Scene} scene */
export const moved = ({ live }) => Boolean(live) && said(live) !== live?.file;

/** What can be dragged of it. @param {Live | null} live */
export const said = (live) => JSON.stringify([live?.path, live?.law?.kind === "mixture" && live.law.data, live?.solver.name, live?.steps]);

/** @param {Scene} scene @param {Pane} pane @param {Live} live */
function show(scene, pane, live) {
  pane.counted = {};
  if (pane.shows === "flow") {
    const frames = flowFrames(live, scene.times);
    pack(scene, pane, frames);
    if (live.judge) judge(pane, live, frames[scene.last]);
    point(scene, pane, live);
  } else {
    pack(scene, pane, originalFrames(pane.shows === "one" ? toOne(live) : live, scene.times));
    trace(scene, pane);
  }
}

/** Say of P what it cost and how far it is off. @param {Pane} pane @param {Live} live @param {Float64Array} ends */
function judge(pane, live, ends) {
  const { solver: { name, b }, steps } = live, off = largestError(live, ends);
  pane.field ??= pane.caption;
  pane.caption = `${pane.field}, ${name}, NFE ${b.length * steps}, largest error ${off < 1e-3 ? "< 0.001" : off.toFixed(3)}`;
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
