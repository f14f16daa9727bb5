// Particles of Q and of P, computed here: positions at the frames of a scene, from end points and a field.

import { fieldOf } from "./law.js";
import { path } from "./path.js";
import { steps } from "./solve.js";

/** @typedef {import("./law.js").Law} Law */
/** @typedef {import("./mixture.js").Component} Component */
/** @typedef {import("./solve.js").Tableau} Tableau */
/** @typedef {import("./path.js").Coefficients} Coefficients */
/** @typedef {import("./path.js").PathTexts} PathTexts */
/** End points of the particles, and the latents of a path that has them, each (n, 2). @typedef {{ x0: Float32Array, x1: Float32Array, z: Float32Array | null }} Ends */
/**
 * What particles are moved by, as fmstudio/plots/scene/live.py writes it.
 * @typedef {object} Motion
 * @property {PathTexts} path
 * @property {Law | null} law what P follows; that of a mixture or a cloud goes along the path
 * @property {Tableau} solver
 * @property {number} steps of the solver
 * @property {Tableau | null} [judge] what a fine solution is made with, where the distance to it is told
 */
/**
 * `file` is what the scene's file says of it, to know it again; `fine` the ends of the first particles, to judge by.
 * @typedef {Motion & Ends & { file?: string, fine?: Float64Array }} Live
 */

/** The law that P follows now, along the path as it is now. @param {Motion} motion @returns {Law} */
export function lawOf({ law, path: texts }) {
  if (!law) throw new Error("The mean velocity is not known here.");
  return law.kind === "net" ? law : { ...law, path: texts };
}

/** The field u at a time. @param {Motion} motion @returns {import("./solve.js").Field} */
export const field = (motion) => fieldOf(lawOf(motion));

/**
 * Positions on the original paths at one time.
 * @param {Ends} ends
 * @param {Coefficients} c
 * @param {Float64Array} out (n, 2), written
 */
export function original({ x0, x1, z }, { a, b, gamma }, out) {
  for (let i = 0; i < out.length; i += 2) {
    out[i] = a.re * x0[i] - a.im * x0[i + 1] + b.re * x1[i] - b.im * x1[i + 1];
    out[i + 1] = a.im * x0[i] + a.re * x0[i + 1] + b.im * x1[i] + b.re * x1[i + 1];
    if (z && gamma) {
      out[i] += gamma * z[i];
      out[i + 1] += gamma * z[i + 1];
    }
  }
}

/**
 * The frames of Q: particles on their own paths.
 * @param {Live} live @param {number[]} times @returns {Float64Array[]} each (n, 2)
 */
export function originalFrames(live, times) {
  const at = path(live.path);
  return times.map((t) => {
    const out = new Float64Array(live.x0.length);
    original(live, at(t), out);
    return out;
  });
}

/** The times of the solver's steps. @param {Motion} motion @returns {number[]} */
export const knotsOf = ({ steps: count }) => Array.from({ length: count + 1 }, (_, k) => 1 - k / count);

/** Where the particles of P start, (n, 2). @param {Live} live */
export function startOf(live) {
  const start = new Float64Array(live.x1.length);
  original(live, path(live.path)(1), start);
  return start;
}

/**
 * The frames of P: particles that follow u from their noise.
 * @param {Live} live @param {number[]} times falling from 1 to 0 @returns {Float64Array[]} each (n, 2)
 */
export const flowFrames = (live, times) => between([...steps(field(live), startOf(live), knotsOf(live), live.solver)], times);

/**
 * Frames between the places after equal steps: steps are straight, frames lie on these lines.
 * @template {Float32Array | Float64Array} T
 * @param {T[]} walked places at every knot @param {number[]} times falling from 1 to 0 @returns {Float64Array[]}
 */
export function between(walked, times) {
  const count = walked.length - 1;
  return times.map((t) => {
    const after = Math.min(count, Math.max(1, Math.ceil((1 - t) * count - 1e-9))), share = (1 - t) * count - (after - 1);
    const before = walked[after - 1], next = walked[after];
    return Float64Array.from(before, (x, i) => x + (next[i] - x) * share);
  });
}

/**
 * Data points that go along when the components of their mixture are moved: x₀ = m + L ε keeps its ε.
 * @param {Float32Array} x0 (n, 2), written
 * @param {Int16Array} parts the component of each
 * @param {Component[]} before
 * @param {Component[]} after as many
 */
export function moveAlong(x0, parts, before, after) {
  const moves = before.map((old, k) => ({
    from: lower(old.covariance), to: lower(after[k].covariance), old: old.mean, mean: after[k].mean,
  }));
  for (let i = 0; i < parts.length; i++) {
    const { from, to, old, mean } = moves[parts[i]];
    const dx = x0[2 * i] - old[0], dy = x0[2 * i + 1] - old[1];
    // ε = L⁻¹ (x − m), by forward substitution.
    const e = dx / from[0], f = (dy - from[1] * e) / from[2];
    x0[2 * i] = mean[0] + to[0] * e;
    x0[2 * i + 1] = mean[1] + to[1] * e + to[2] * f;
  }
}

/** The Cholesky factor ((p, 0), (q, r)). @param {import("./matrix.js").Matrix} covariance */
function lower([xx, xy, , yy]) {
  const p = Math.sqrt(xx), q = xy / p;
  return [p, q, Math.sqrt(yy - q * q)];
}

/** Particles that are judged, and the steps of what they are judged by. */
const JUDGED = 200, FINE = 100;

/**
 * How far the first particles' ends are from those of a fine solution at most.
 * @param {Live} live `fine` is filled once @param {Float64Array} ends of P @returns {number}
 */
export function largestError(live, ends) {
  const count = Math.min(ends.length, 2 * JUDGED);
  if (!live.fine) {
    const few = { ...live, x0: live.x0.slice(0, count), x1: live.x1.slice(0, count), z: live.z && live.z.slice(0, count) };
    live.fine = flowFrames({ ...few, solver: live.judge ?? live.solver, steps: FINE }, [0])[0];
  }
  let most = 0;
  for (let i = 0; i < count; i += 2) most = Math.max(most, Math.hypot(ends[i] - live.fine[i], ends[i + 1] - live.fine[i + 1]));
  return most;
}
