// From what a net predicts to a velocity, by way of the data point x̂₀: the maps of fmstudio/flow/regress at one time.
//
//     x̂₀ = p x + q y, held inside the data's box,        u = a′x̂₀ + g (x − a x̂₀),        g = (b′b* + γγ′)/σ²

/** @typedef {import("./path.js").Complex} Complex */
/** @typedef {import("./path.js").Coefficients} Coefficients */
/** @typedef {"v" | "x0" | "eps" | "score"} Target what the net predicts: y */
/** @typedef {{ p: Complex, q: Complex, a: Complex, da: Complex, g: Complex }} Translation */

/** @type {(x: Complex, y: Complex) => Complex} */
const times = (x, y) => ({ re: x.re * y.re - x.im * y.im, im: x.re * y.im + x.im * y.re });
/** @type {(x: Complex) => Complex} */
const conjugate = ({ re, im }) => ({ re, im: -im });
/** @type {(x: Complex, k: number) => Complex} */
const scaled = ({ re, im }, k) => ({ re: re * k, im: im * k });
/** @type {(x: Complex) => Complex} */
const inverse = (x) => scaled(conjugate(x), 1 / (x.re * x.re + x.im * x.im));

/**
 * The numbers of a target at a time; null for v, which needs none.
 * @param {Target} target
 * @param {Coefficients} c
 * @returns {Translation | null}
 */
export function translation(target, c) {
  if (target === "v") return null;
  const variance = c.b.re ** 2 + c.b.im ** 2 + c.gamma ** 2, cross = times(c.db, conjugate(c.b));
  const g = scaled({ re: cross.re + c.gammaDgamma, im: cross.im }, 1 / variance);
  if (target === "x0") return { p: { re: 0, im: 0 }, q: { re: 1, im: 0 }, a: c.a, da: c.da, g };
  // With σ² = |b|² + γ²: x̂₀ = (x − (σ²/b*) ε̂)/a from the noise, and (x + σ² s)/a from y = σ s.
  const p = inverse(c.a), along = target === "eps" ? scaled(inverse(conjugate(c.b)), -variance) : { re: Math.sqrt(variance), im: 0 };
  return { p, q: times(p, along), a: c.a, da: c.da, g };
}

/**
 * u from the predictions y, written over them.
 * @param {Translation} translation
 * @param {[number[], number[]] | null} box lowest and highest of each coordinate, or none
 * @param {Float64Array} x (n, 2)
 * @param {Float64Array} y (n, 2)
 */
export function translate({ p, q, a, da, g }, box, x, y) {
  /** @type {(value: number, axis: number) => number} */
  const hold = (value, axis) => (box ? Math.min(Math.max(value, box[0][axis]), box[1][axis]) : value);
  for (let i = 0; i < x.length; i += 2) {
    const at = { re: x[i], im: x[i + 1] }, given = times(p, at), said = times(q, { re: y[i], im: y[i + 1] });
    const point = { re: hold(given.re + said.re, 0), im: hold(given.im + said.im, 1) };
    const mean = times(a, point), pull = times(g, { re: at.re - mean.re, im: at.im - mean.im }), along = times(da, point);
    y[i] = along.re + pull.re;
    y[i + 1] = along.im + pull.im;
  }
}
