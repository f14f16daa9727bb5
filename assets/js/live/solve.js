// Following a field with an explicit Runge–Kutta tableau, step by step.

/** @typedef {{name?: string, a: number[][], b: number[], c: number[]}} Tableau */
/** @typedef {(t: number) => (x: Float64Array, u: Float64Array) => void} Field the field at a time, ready for points */

/**
 * Positions after every step, the first included. A generator: whoever reads it decides when the next is taken.
 * @param {Field} field
 * @param {Float64Array} start (n, 2)
 * @param {number[]} times falling, the first of the start
 * @param {Tableau} tableau
 * @returns {Generator<Float64Array, void>}
 */
export function* steps(field, start, times, tableau) {
  const stages = tableau.b.length, size = start.length;
  const slopes = tableau.b.map(() => new Float64Array(size)), inner = new Float64Array(size);
  let x = start;
  yield x;
  for (let k = 1; k < times.length; k++) {
    const h = times[k] - times[k - 1];
    for (let s = 0; s < stages; s++) {
      move(x, slopes, tableau.a[s], h, inner);
      // The end of a step is its time, not what rounding makes of it.
      field(tableau.c[s] === 1 ? times[k] : times[k - 1] + tableau.c[s] * h)(inner, slopes[s]);
    }
    x = move(x, slopes, tableau.b, h, new Float64Array(size));
    yield x;
  }
}

/** x + h Σ w_s k_s, written into out. @param {Float64Array} x @param {Float64Array[]} slopes @param {number[]} weights @param {number} h @param {Float64Array} out */
function move(x, slopes, weights, h, out) {
  out.set(x);
  weights.forEach((w, s) => {
    if (w) for (let i = 0; i < out.length; i++) out[i] += h * w * slopes[s][i];
  });
  return out;
}
