// Small matrices [p, q, r, s] = ((p, q), (r, s)) and complex numbers that act on the plane as such.

/** @typedef {[number, number, number, number]} Matrix */
/** @typedef {import("./path.js").Complex} Complex */

/** @type {(c: Complex) => Matrix} */
export const matrixOf = (c) => [c.re, -c.im, c.im, c.re];
/** @type {(m: Matrix) => Matrix} */
export const transpose = ([p, q, r, s]) => [p, r, q, s];
/** @type {(m: Matrix, n: Matrix) => Matrix} */
export const product = ([p, q, r, s], [e, f, g, h]) => [p * e + q * g, p * f + q * h, r * e + s * g, r * f + s * h];
/** @type {(...ms: Matrix[]) => Matrix} */
export const sum = (...ms) =>
  /** @type {Matrix} */ (ms.reduce((m, n) => [m[0] + n[0], m[1] + n[1], m[2] + n[2], m[3] + n[3]]));
/** @type {(m: Matrix, k: number) => Matrix} */
export const times = ([p, q, r, s], k) => [p * k, q * k, r * k, s * k];
/** c Σ eᵀ. @type {(c: Complex, m: Matrix, e: Complex) => Matrix} */
export const sandwich = (c, m, e) => product(product(matrixOf(c), m), transpose(matrixOf(e)));
/** @type {(k: number) => Matrix} */
export const scalar = (k) => [k, 0, 0, k];
/** @type {(m: Matrix, x: readonly [number, number]) => [number, number]} */
export const apply = ([p, q, r, s], [x, y]) => [p * x + q * y, r * x + s * y];
/** The inverse and log-determinant of a symmetric positive one. @type {(m: Matrix) => {inverse: Matrix, logDet: number}} */
export function inverse([p, q, , s]) {
  // As a product of two positive numbers, so that no digits cancel.
  const lean = q / p, rest = s - lean * q, side = -lean / rest;
  return { inverse: [1 / p - lean * side, side, side, 1 / rest], logDet: Math.log(p) + Math.log(rest) };
}
