// Small jobs by which a back end's speed is measured, one for each kind of law.

/** @typedef {import("./law.js").Law} Law */

const path = { a: "1-t", b: "t", gamma_squared: "0", numbers: {} };
/** @type {import("./matrix.js").Matrix} */
const unit = [1, 0, 0, 1];
/** @type {import("./mixture.js").Component} */
const normal = { weight: 1, mean: [0, 0], covariance: unit };
const waves = (/** @type {number} */ size) => Float32Array.from({ length: size }, (_, i) => Math.sin(i * i) / 4);

/** @type {Record<Law["kind"], Law>} */
const LAWS = {
  mixture: { kind: "mixture", path, source: [normal], data: Array.from({ length: 8 }, (_, k) => ({ ...normal, mean: [k - 4, k % 3], weight: 1 / 8 })) },
  cloud: { kind: "cloud", path, source: [normal], data: waves(512) },
  net: {
    kind: "net", weights: waves(16 + 4 + 32 * 28 + 32 * 33 + 2 * 33),
    net: { dim: 2, width: 32, depth: 2, fourier: 8, timeFrequencies: 4, classes: 0, target: "v", times: [0, 1], box: null, path },
  },
};

/** Heun steps of a law with so many particles. @param {Law["kind"]} kind @param {number} count @returns {import("./walk.js").Job} */
export const probe = (kind, count) => ({
  law: LAWS[kind], start: waves(2 * count), knots: [1, 0.75, 0.5, 0.25, 0.125], tableau: { a: [[], [1]], b: [0.5, 0.5], c: [0, 1] },
});
