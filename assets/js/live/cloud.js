// The exact velocity u(x, t) = E[v | x_t = x] where the data are N points of weight 1/N and the source is a mixture.
//
// Given a point and a component k of the source x_t is Gaussian around A x₀ + B m_k with covariance C_k, so
//
//     log w_ik = log p_k/N − log det C_k / 2 − log 2π − |U_k (x − A x₀ᵢ − B m_k)|² / 2,      U_kᵀ U_k = C_k⁻¹
//     u_k = A′x̂₀ + B′m_k + G_k (x − A x̂₀ − B m_k),      G_k = (B′Σ_k Bᵀ + γγ′) C_k⁻¹.
//
// The same sums as fmstudio/flow/oracle/empirical.py, whose answers the tests compare.

import { apply, inverse, matrixOf, product, sandwich, scalar, sum } from "./matrix.js";

/** @typedef {import("./matrix.js").Matrix} Matrix */
/** @typedef {import("./mixture.js").Component} Component */
/** @typedef {import("./path.js").Coefficients} Coefficients */
/** @typedef {[number, number]} Vector */
/**
 * What the sum needs of a source component at one time.
 * @typedef {object} Part
 * @property {Matrix} whiten U, upper triangular
 * @property {number} constant of log w
 * @property {Vector} shift B m
 * @property {Vector} drift B′m
 * @property {Matrix} gain G
 */
/** @typedef {{ points: Float32Array, c: Coefficients, still: boolean, parts: (Part & { places: Float64Array })[] }} Prepared */

/** Weights below e^−40 of the largest change no digit of a double. */
const NEGLIGIBLE = 40;
/** Stands for 1/σ where σ = 0: only the nearest point has a weight. */
const SHARP = 1e100;

/** Whether x_t is a x₀ alone. @param {Coefficients} c */
export const isStill = ({ b, gamma }) => b.re === 0 && b.im === 0 && gamma === 0;

/**
 * A component of the source at one time. At σ = 0 the source keeps its own law: the constant is log p.
 * @param {Component} part
 * @param {Coefficients} c
 * @param {number} count of the points
 * @returns {Part}
 */
export function ofComponent({ weight, mean, covariance }, c, count) {
  const shift = apply(matrixOf(c.b), mean), drift = apply(matrixOf(c.db), mean);
  if (isStill(c)) return { whiten: scalar(SHARP), constant: Math.log(weight), shift, drift, gain: scalar(0) };
  const { inverse: precision, logDet } = inverse(sum(sandwich(c.b, covariance, c.b), scalar(c.gamma ** 2)));
  const cross = sum(sandwich(c.db, covariance, c.b), scalar(c.gammaDgamma));
  const [p, q, , r] = precision, root = Math.sqrt(p), lean = q / root;
  return {
    whiten: [root, lean, 0, Math.sqrt(r - lean * lean)],
    constant: Math.log(weight / count) - logDet / 2 - Math.log(2 * Math.PI),
    shift, drift, gain: product(cross, precision),
  };
}

/**
 * What the sum needs at one time: for each component its numbers and the points where its noise is N(0, I).
 * @param {Float32Array} points (N, 2)
 * @param {Component[]} source
 * @param {Coefficients} c
 * @returns {Prepared}
 */
export function prepared(points, source, c) {
  const parts = source.map((component) => {
    const part = ofComponent(component, c, points.length / 2), [p, q, r, s] = product(part.whiten, matrixOf(c.a));
    const places = new Float64Array(points.length);
    for (let i = 0; i < points.length; i += 2) {
      places[i] = p * points[i] + q * points[i + 1];
      places[i + 1] = r * points[i] + s * points[i + 1];
    }
    return { ...part, places };
  });
  return { points, c, still: isStill(c), parts };
}

/**
 * u at points, and log q_t where asked: NaN at σ = 0, where there is no density.
 * @param {Prepared} law of {@link prepared}
 * @param {Float64Array} x (n, 2)
 * @param {Float64Array} u (n, 2), written
 * @param {Float64Array | null} [logDensity] (n), written
 */
export function velocity({ points, c, still, parts }, x, u, logDensity = null) {
  const a = matrixOf(c.a), da = matrixOf(c.da), squares = new Float64Array(points.length / 2), mean = new Float64Array(3);
  for (let i = 0; i < x.length; i += 2) {
    let most = -Infinity, total = 0, ux = 0, uy = 0;
    for (const { places, whiten, constant, shift, drift, gain } of parts) {
      /** @type {Vector} */
      const off = [x[i] - shift[0], x[i + 1] - shift[1]];
      posterior(places, points, apply(whiten, off), squares, mean);
      const log = still ? constant : constant + mean[2], keep = log > most ? Math.exp(most - log) : 1, weight = Math.exp(log - Math.max(most, log));
      most = Math.max(most, log);
      const moved = apply(a, [mean[0], mean[1]]), along = apply(da, [mean[0], mean[1]]);
      const pull = apply(gain, [off[0] - moved[0], off[1] - moved[1]]);
      total = keep * total + weight;
      ux = keep * ux + weight * (along[0] + drift[0] + pull[0]);
      uy = keep * uy + weight * (along[1] + drift[1] + pull[1]);
    }
    u[i] = ux / total;
    u[i + 1] = uy / total;
    if (logDensity) logDensity[i / 2] = still ? NaN : most + Math.log(total);
  }
}

/**
 * x̂₀ given a component, and log Σ_i exp(−|y − yᵢ|²/2).
 * @param {Float64Array} places yᵢ, (N, 2)
 * @param {Float32Array} points (N, 2)
 * @param {Vector} y
 * @param {Float64Array} squares (N), written
 * @param {Float64Array} out x̂₀ and the logarithm, written
 */
function posterior(places, points, [y, z], squares, out) {
  let least = Infinity, total = 0, x0 = 0, y0 = 0;
  for (let i = 0; i < squares.length; i++) {
    const dx = y - places[2 * i], dy = z - places[2 * i + 1], square = dx * dx + dy * dy;
    squares[i] = square;
    if (square < least) least = square;
  }
  const reach = least + 2 * NEGLIGIBLE;
  for (let i = 0; i < squares.length; i++) {
    if (squares[i] > reach) continue;
    const weight = Math.exp((least - squares[i]) / 2);
    total += weight;
    x0 += weight * points[2 * i];
    y0 += weight * points[2 * i + 1];
  }
  out[0] = x0 / total;
  out[1] = y0 / total;
  out[2] = Math.log(total) - least / 2;
}

/**
 * Some of the points, drawn without replacement; the same for the same seed.
 * @param {Float32Array} points (N, 2)
 * @param {number} most how many are kept
 * @param {number} seed a whole number
 */
export function thinned(points, most, seed) {
  const count = points.length / 2;
  if (count <= most) return points;
  // A full-period generator modulo 2³² picks from those that are left.
  const order = Uint32Array.from({ length: count }, (_, i) => i), kept = new Float32Array(2 * most);
  let state = seed >>> 0;
  for (let k = 0; k < most; k++) {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    const pick = k + Math.floor((state / 2 ** 32) * (count - k));
    [order[k], order[pick]] = [order[pick], order[k]];
    kept.set(points.subarray(2 * order[k], 2 * order[k] + 2), 2 * k);
  }
  return kept;
}
