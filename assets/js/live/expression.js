// Expressions of the time: read from text, evaluated as value and slope together, over complex numbers.
//
//     sum      =  product, then + or − products
//     product  =  factor, then factors after * or /
//     factor   =  signs, then an atom with its power; powers go from right to left, before signs
//
// This is the normal form of fmstudio/flow/formulas: what people type is brought to it before.

/**
 * A complex number that moves: value re + i im, slope dre + i dim with respect to t.
 * @typedef {{re: number, im: number, dre: number, dim: number}} Dual
 */
/** @typedef {(t: Dual, names: Record<string, number>) => Dual} Evaluate */

/** @param {number} re @param {number} im @param {number} dre @param {number} dim @returns {Dual} */
const dual = (re, im = 0, dre = 0, dim = 0) => ({ re, im, dre, dim });

/** @type {(x: Dual, y: Dual) => Dual} */
const add = (x, y) => dual(x.re + y.re, x.im + y.im, x.dre + y.dre, x.dim + y.dim);
/** @type {(x: Dual) => Dual} */
const negate = (x) => dual(-x.re, -x.im, -x.dre, -x.dim);

/** @type {(x: Dual, y: Dual) => Dual} */
function multiply(x, y) {
  return dual(
    x.re * y.re - x.im * y.im,
    x.re * y.im + x.im * y.re,
    x.dre * y.re - x.dim * y.im + x.re * y.dre - x.im * y.dim,
    x.dre * y.im + x.dim * y.re + x.re * y.dim + x.im * y.dre,
  );
}

/** @type {(x: Dual) => Dual} */
function inverse(x) {
  const size = x.re * x.re + x.im * x.im;
  const re = x.re / size, im = -x.im / size;
  // (1/x)′ = −x′/x².
  const sre = re * re - im * im, sim = 2 * re * im;
  return dual(re, im, -(x.dre * sre - x.dim * sim), -(x.dre * sim + x.dim * sre));
}

/** A real function and its derivative. @type {(f: (x: number) => number, df: (x: number) => number) => (x: Dual) => Dual} */
const real = (f, df) => (x) => {
  if (x.im !== 0 || x.dim !== 0) throw new Error("This function takes real numbers.");
  return dual(f(x.re), 0, x.dre === 0 ? 0 : df(x.re) * x.dre);
};

/** @type {(x: Dual) => Dual} */
function exponential(x) {
  const size = Math.exp(x.re), re = size * Math.cos(x.im), im = size * Math.sin(x.im);
  return dual(re, im, re * x.dre - im * x.dim, re * x.dim + im * x.dre);
}

/** @type {(x: Dual, y: Dual) => Dual} */
function power(x, y) {
  if (x.im || y.im) throw new Error("A power takes real numbers.");
  const value = x.re ** y.re;
  let slope = 0;
  if (x.dre) slope += y.re === 0 ? 0 : y.re * x.re ** (y.re - 1) * x.dre;
  if (y.dre) slope += x.re === 0 && y.re > 0 ? 0 : value * Math.log(x.re) * y.dre;
  return dual(value, 0, slope);
}

/** @type {(better: (x: number, y: number) => boolean) => (...xs: Dual[]) => Dual} */
const best = (better) => (...xs) =>
  xs.reduce((x, y) => (x.re === y.re ? dual(x.re, 0, (x.dre + y.dre) / 2) : better(x.re, y.re) ? x : y));

/** @type {Record<string, (...xs: Dual[]) => Dual>} */
const FUNCTIONS = {
  exp: exponential,
  sin: real(Math.sin, Math.cos),
  cos: real(Math.cos, (x) => -Math.sin(x)),
  tan: real(Math.tan, (x) => 1 + Math.tan(x) ** 2),
  log: real(Math.log, (x) => 1 / x),
  sqrt: real(Math.sqrt, (x) => 0.5 / Math.sqrt(x)),
  expm1: real(Math.expm1, Math.exp),
  tanh: real(Math.tanh, (x) => 1 - Math.tanh(x) ** 2),
  abs: real(Math.abs, Math.sign),
  min: best((x, y) => x < y),
  max: best((x, y) => x > y),
};

const CONSTANTS = /** @type {Record<string, Dual>} */ ({ pi: dual(Math.PI), e: dual(Math.E), i: dual(0, 1) });
const TOKEN = /\s*(?:(\d+\.?\d*(?:e[+-]?\d+)?|\.\d+(?:e[+-]?\d+)?)|([a-z][a-z0-9_]*)|(\*\*|[-+*/^(),]))/iy;

/** @param {string} text @returns {string[]} */
function tokens(text) {
  const found = [];
  TOKEN.lastIndex = 0;
  while (TOKEN.lastIndex < text.trimEnd().length) {
    const at = TOKEN.lastIndex, match = TOKEN.exec(text);
    if (!match) throw new Error(`Cannot read “${text}” at character ${at + 1}.`);
    found.push(match[0].trim().replace("**", "^"));
  }
  return found;
}

class Reader {
  /** @param {string} text */
  constructor(text) {
    this.text = text;
    this.tokens = tokens(text);
    this.at = 0;
  }

  /** @param {...string} marks */
  take(...marks) {
    const next = this.tokens[this.at];
    if (next === undefined || !marks.includes(next)) return "";
    this.at += 1;
    return next;
  }

  /** @param {string} mark */
  expect(mark) {
    if (!this.take(mark)) throw new Error(`Expected “${mark}” in “${this.text}”.`);
  }

  /** @returns {Evaluate} */
  whole() {
    const found = this.sum();
    if (this.at < this.tokens.length) throw new Error(`Cannot read “${this.tokens[this.at]}” in “${this.text}”.`);
    return found;
  }

  /** @returns {Evaluate} */
  sum() {
    let left = this.product();
    for (let sign; (sign = this.take("+", "-")); ) {
      const first = left, second = this.product();
      left = sign === "+" ? (t, n) => add(first(t, n), second(t, n)) : (t, n) => add(first(t, n), negate(second(t, n)));
    }
    return left;
  }

  /** @returns {Evaluate} */
  product() {
    let left = this.factor();
    for (let sign; (sign = this.take("*", "/")); ) {
      const first = left, second = this.factor();
      left =
        sign === "*"
          ? (t, n) => multiply(first(t, n), second(t, n))
          : (t, n) => multiply(first(t, n), inverse(second(t, n)));
    }
    return left;
  }

  /** @returns {Evaluate} */
  factor() {
    const sign = this.take("+", "-");
    if (!sign) return this.raised();
    const part = this.factor();
    return sign === "+" ? part : (t, n) => negate(part(t, n));
  }

  /** @returns {Evaluate} */
  raised() {
    const below = this.atom();
    if (!this.take("^")) return below;
    const above = this.factor();
    return (t, n) => power(below(t, n), above(t, n));
  }

  /** @returns {Evaluate} */
  atom() {
    if (this.take("(")) {
      const inside = this.sum();
      this.expect(")");
      return inside;
    }
    const token = this.tokens[this.at++];
    if (token === undefined) throw new Error(`“${this.text}” ends too early.`);
    if (/^[\d.]/.test(token)) {
      const number = dual(Number(token));
      return () => number;
    }
    if (token in FUNCTIONS) return this.call(token);
    if (token === "t") return (t) => t;
    if (token in CONSTANTS) return () => CONSTANTS[token];
    if (!/^[a-z]/i.test(token)) throw new Error(`Cannot read “${token}” in “${this.text}”.`);
    return (_, names) => {
      if (!(token in names)) throw new Error(`“${token}” has no value.`);
      return dual(names[token]);
    };
  }

  /** @param {string} name @returns {Evaluate} */
  call(name) {
    this.expect("(");
    const parts = [this.sum()];
    while (this.take(",")) parts.push(this.sum());
    this.expect(")");
    return (t, n) => FUNCTIONS[name](...parts.map((part) => part(t, n)));
  }
}

/**
 * An expression of t and named numbers, as value and slope at a time.
 * @param {string} text in normal form
 * @returns {(t: number, names?: Record<string, number>) => Dual}
 */
export function expression(text) {
  const evaluate = new Reader(text).whole();
  return (t, names = {}) => evaluate(dual(t, 0, 1), names);
}
