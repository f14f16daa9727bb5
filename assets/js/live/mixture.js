// The exact velocity u(x, t) = E[v | x_t = x] where data and source are mixtures of Gaussians.
//
// Given a pair of components x_t is Gaussian and E[v | x_t, pair] linear in x, so at one time
//
//     u(x, t) = Σ_c W_c(x) (o_c + M_c x),      log W_c(x) = k_c − (x − m_c)ᵀ P_c (x − m_c) / 2.
//
// The same sums as fmstudio/flow/oracle/mixture.py, whose answers the tests compare.

import { apply, inverse, matrixOf, product, sandwich, scalar, sum, times } from "./matrix.js";

/** @typedef {import("./matrix.js").Matrix} Matrix */
/** @typedef {import("./path.js").Coefficients} Coefficients */
/** @typedef {{weight: number, mean: [number, number], covariance: Matrix}} Component in one dimension the second coordinate is 0, of variance 1 */

/** Numbers of a pair: k, m (2), P (3), o (2), M (4). */
const STRIDE = 12;
/** Weights below e^−40 of the largest change no digit of a double. */
const NEGLIGIBLE = 40;

/**
 * What the sum needs at one time: STRIDE numbers for each pair of components.
 * @param {Component[]} data
 * @param {Component[]} source
 * @param {Coefficients} c
 */
export function prepared(data, source, c) {
  const numbers = new Float64Array(STRIDE * data.length * source.length);
  const whole = spread(source);
  let at = 0;
  for (const x0 of data)
    for (const x1 of source) {
      numbers.set(ofPair(x0, x1, c, whole), at);
      at += STRIDE;
    }
  return numbers;
}

/** Mean and covariance of a mixture. @param {Component[]} parts @returns {{mean: [number, number], covariance: Matrix}} */
function spread(parts) {
  const total = parts.reduce((all, part) => all + part.weight, 0);
  /** @type {[number, number]} */
  const mean = [0, 0];
  for (const { weight, mean: m } of parts) for (const k of [0, 1]) mean[k] += (weight / total) * m[k];
  const terms = parts.map(({ weight, mean: m, covariance }) => {
    const [x, y] = [m[0] - mean[0], m[1] - mean[1]];
    return times(sum(covariance, [x * x, x * y, x * y, y * y]), weight / total);
  });
  return { mean, covariance: sum(...terms) };
}

/** @param {Component} x0 @param {Component} x1 @param {Coefficients} c @param {ReturnType<typeof spread>} whole */
function ofPair(x0, x1, c, whole) {
  const a = apply(matrixOf(c.a), x0.mean), b = apply(matrixOf(c.b), x1.mean);
  const mean = [a[0] + b[0], a[1] + b[1]];
  const covariance = sum(
    sandwich(c.a, x0.covariance, c.a), sandwich(c.b, x1.covariance, c.b), scalar(c.gamma ** 2),
  );
  // Where b′ is infinite x₁ is still unknown: b b′ times the source's own covariance is the limit.
  const steep = times(whole.covariance, c.bDb);
  const cross = sum(
    sandwich(c.da, x0.covariance, c.a), sandwich(c.db, x1.covariance, c.b), scalar(c.gammaDgamma), steep,
  );
  const { inverse: precision, logDet } = inverse(covariance), gain = product(cross, precision);
  const da = apply(matrixOf(c.da), x0.mean), db = apply(matrixOf(c.db), c.steep ? whole.mean : x1.mean);
  const pulled = apply(gain, /** @type {[number, number]} */ (mean));
  return [
    Math.log(x0.weight) + Math.log(x1.weight) - logDet / 2 - Math.log(2 * Math.PI),
    ...mean, precision[0], precision[1], precision[3],
    da[0] + db[0] - pulled[0], da[1] + db[1] - pulled[1], ...gain,
  ];
}

/**
 * u at points, and log q_t where asked.
 * @param {Float64Array} numbers of {@link prepared}
 * @param {Float64Array} x (n, 2)
 * @param {Float64Array} u (n, 2), written
 * @param {Float64Array | null} logDensity (n), written
 */
export function velocity(numbers, x, u, logDensity = null) {
  const pairs = numbers.length / STRIDE, log = new Float64Array(pairs);
  for (let i = 0; i < x.length; i += 2) {
    let most = -Infinity;
    for (let p = 0, k = 0; p < pairs; p++, k += STRIDE) {
      const dx = x[i] - numbers[k + 1], dy = x[i + 1] - numbers[k + 2];
      const square = numbers[k + 3] * dx * dx + 2 * numbers[k + 4] * dx * dy + numbers[k + 5] * dy * dy;
      log[p] = numbers[k] - square / 2;
      if (log[p] > most) most = log[p];
    }
    let total = 0, ux = 0, uy = 0;
    for (let p = 0, k = 0; p < pairs; p++, k += STRIDE) {
      if (log[p] < most - NEGLIGIBLE) continue;
      const weight = Math.exp(log[p] - most);
      total += weight;
      ux += weight * (numbers[k + 6] + numbers[k + 8] * x[i] + numbers[k + 9] * x[i + 1]);
      uy += weight * (numbers[k + 7] + numbers[k + 10] * x[i] + numbers[k + 11] * x[i + 1]);
    }
    u[i] = ux / total;
    u[i + 1] = uy / total;
    if (logDensity) logDensity[i / 2] = most + Math.log(total);
  }
}
