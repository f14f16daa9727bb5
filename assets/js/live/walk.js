// A job followed in slices of time, so that whoever else runs here, a page or a message, gets a turn.

import { fieldOf, terms } from "./law.js";
import { steps } from "./solve.js";

/** @typedef {import("./solve.js").Tableau} Tableau */
/**
 * Particles to take along a field.
 * @typedef {object} Job
 * @property {import("./law.js").Law} law
 * @property {Float32Array} start (n, 2)
 * @property {number[]} knots times, falling, the first of the start; one step from each to the next
 * @property {Tableau} tableau
 */
/** Told each knot's number and the places there, (n, 2). @typedef {(k: number, x: Float32Array) => void} Told */

/** Terms that are summed before the clock is asked again: about a millisecond. */
const AT_ONCE = 1 << 17;
/** Times that a field is kept ready for: more than the stages of a step. */
const KEPT = 16;

/** The tableau without the stages after its last weight: they serve the estimate of an error. @param {Tableau} tableau @returns {Tableau} */
export function trimmed({ a, b, c }) {
  const stages = b.findLastIndex((weight) => weight !== 0) + 1;
  return { a: a.slice(0, stages), b: b.slice(0, stages), c: c.slice(0, stages) };
}

/** How many terms a job sums in all. @param {Job} job */
export const work = ({ law, start, knots, tableau }) => (terms(law) * start.length * (knots.length - 1) * trimmed(tableau).b.length) / 2;

/** A field that is made ready once for a time, however many blocks ask. @param {import("./law.js").Field} field @returns {import("./solve.js").Field} */
function remembered(field) {
  /** @type {Map<number, ReturnType<import("./solve.js").Field>>} */
  const ready = new Map();
  return (t) => {
    const known = ready.get(t);
    if (known) return known;
    if (ready.size === KEPT) ready.clear();
    const made = field(t);
    ready.set(t, made);
    return made;
  };
}

/**
 * Follow a job to its end; its particles go in blocks, each a step before any takes the next.
 * @param {Job} job
 * @param {Told} told
 * @param {() => boolean} stopped
 * @param {number} slice milliseconds between two rests
 * @returns {Promise<number | null>} milliseconds of work, or null where it was stopped
 */
export async function walk({ law, start, knots, tableau }, told, stopped, slice) {
  const field = remembered(fieldOf(law)), size = 2 * Math.min(2048, Math.max(8, Math.floor(AT_ONCE / terms(law)))), blocks = [];
  for (let at = 0; at < start.length; at += size)
    blocks.push(steps(field, Float64Array.from(start.subarray(at, at + size)), knots, trimmed(tableau)));
  let since = performance.now(), worked = 0;
  for (let k = 0; k < knots.length; k++) {
    const x = new Float32Array(start.length);
    for (const [block, walked] of blocks.entries()) {
      x.set(/** @type {Float64Array} */ (walked.next().value), block * size);
      const passed = performance.now() - since;
      if (passed < slice) continue;
      worked += passed;
      await new Promise((done) => setTimeout(done));
      if (stopped()) return null;
      since = performance.now();
    }
    told(k, x);
  }
  return worked + performance.now() - since;
}
