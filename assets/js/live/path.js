// A path: x_t = a x₀ + b x₁ + γ z, with coefficients that are expressions of t; complex ones turn the plane.

import { expression } from "./expression.js";

/**
 * @typedef {{re: number, im: number}} Complex
 * @typedef {object} Coefficients
 * @property {number} t
 * @property {Complex} a
 * @property {Complex} b
 * @property {number} gamma
 * @property {Complex} da
 * @property {Complex} db b′; where it is infinite, that of t = 1e-6
 * @property {number} gammaDgamma γγ′, finite everywhere
 * @property {boolean} steep whether b′ is infinite here
 * @property {number} bDb the limit of b b′ where it is, else 0
 */
/** @typedef {{a: string, b: string, gamma_squared: string, numbers: Record<string, number>}} PathTexts γ² and not γ: γ′ is infinite at the ends */

/** Where b′ is infinite at t = 0, it is taken as that of this time. */
const NEAR_ZERO = 1e-6;

/**
 * The coefficients of a path as a function of time.
 * @param {PathTexts} texts
 * @returns {(t: number) => Coefficients}
 */
export function path(texts) {
  const [a, b, gammaSquared] = [texts.a, texts.b, texts.gamma_squared].map(expression);
  /** @param {number} t */
  const slopeOf = (t) => b(t, texts.numbers);
  return (t) => {
    const at = a(t, texts.numbers), bt = slopeOf(t), g = gammaSquared(t, texts.numbers);
    let db = { re: bt.dre, im: bt.dim }, bDb = 0;
    const steep = !(Number.isFinite(db.re) && Number.isFinite(db.im));
    if (steep) {
      const near = slopeOf(NEAR_ZERO), twice = slopeOf(2 * NEAR_ZERO);
      db = { re: near.dre, im: near.dim };
      bDb = 2 * near.re * near.dre - twice.re * twice.dre;
    }
    return {
      t,
      a: { re: at.re, im: at.im },
      b: { re: bt.re, im: bt.im },
      gamma: Math.sqrt(Math.max(0, g.re)),
      da: { re: at.dre, im: at.dim },
      db,
      gammaDgamma: g.dre / 2,
      steep,
      bDb,
    };
  };
}
