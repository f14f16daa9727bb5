// What a law's shader reads: one long list of numbers for all times, and a table and uniforms for one time.

import { isStill, ofComponent } from "./cloud.js";
import { CLOUD, MIXTURE, netShader } from "./gpu-shaders.js";
import { prepared } from "./mixture.js";
import { firstBias, parts, rawInputs } from "./net.js";
import { path } from "./path.js";
import { translation } from "./target.js";

/** @typedef {import("./law.js").Law} Law */
/** @typedef {import("./path.js").Complex} Complex */
/** Numbers by the uniform that takes them. @typedef {Record<string, number[]>} Uniforms */
/**
 * @typedef {object} Shaded
 * @property {string} glsl
 * @property {{ numbers: Float32Array, channels: 2 | 4 }} data
 * @property {(t: number) => { table: Float32Array, floats: Uniforms, integers: Uniforms }} at
 */

/** Hidden units that a shader's registers hold. */
const WIDEST = 128;
/** Components, or pairs of them, that a table holds. */
const MOST_PARTS = 600;

/** Whether a card computes the law. @param {Law} law */
export function canShade(law) {
  if (law.kind === "net") return law.net.width <= WIDEST && law.net.fourier <= 2 * WIDEST;
  const { source, data, told = [] } = law;
  return (law.kind === "cloud" ? 2 : data.length + told.length) * source.length <= MOST_PARTS;
}

/** @param {Law} law @returns {Shaded} */
export function shaded(law) {
  if (law.kind === "net") return ofNet(law);
  return law.kind === "mixture" ? ofMixture(law) : ofCloud(law);
}

const pair = (/** @type {Complex} */ { re, im }) => [re, im];

/** @param {import("./law.js").MixtureLaw} law @returns {Shaded} */
function ofMixture({ path: texts, data, source, told = [] }) {
  const at = path(texts), pairs = data.length * source.length, all = pairs + told.length * source.length;
  return {
    glsl: MIXTURE,
    data: { numbers: new Float32Array(4), channels: 4 },
    at: (t) => {
      const c = at(t), rows = [prepared(data, source, c), told.length ? prepared(told, source, c) : []], table = new Float32Array(12 * all);
      // The slope at the mean in place of that at 0, and the root of the precision: so float32 keeps its digits.
      rows.forEach((row, which) => {
        for (let k = 0, to = which * 12 * pairs; k < row.length; k += 12, to += 12) {
          const [constant, m, n, p, q, r, o, s, ...gain] = row.slice(k, k + 12), root = Math.sqrt(p), lean = q / root;
          const drift = [o + gain[0] * m + gain[1] * n, s + gain[2] * m + gain[3] * n];
          table.set([constant, m, n, root, lean, Math.sqrt(r - lean * lean), ...drift, ...gain], to);
        }
      });
      return { table, floats: {}, integers: { uRange: [0, pairs, pairs, all] } };
    },
  };
}

/** @param {import("./law.js").CloudLaw} law @returns {Shaded} */
function ofCloud({ path: texts, data, source, told = new Float32Array(0) }) {
  const at = path(texts), numbers = new Float32Array(data.length + told.length), count = data.length / 2;
  numbers.set(data);
  numbers.set(told, data.length);
  return {
    glsl: CLOUD,
    data: { numbers, channels: 2 },
    at: (t) => {
      const c = at(t), still = isStill(c);
      const rows = [count, told.length / 2].flatMap((size) => source.map((component) => {
        const { whiten: [p, q, , s], constant, shift, drift, gain } = ofComponent(component, c, size || 1);
        const keep = Math.min(1, SHARP / Math.max(p, s));
        return [constant, ...shift, p * keep, q * keep, s * keep, ...drift, ...gain];
      }));
      return {
        table: Float32Array.from(rows.flat()),
        floats: { uRest: [1 - c.a.re, -c.a.im], uDa: pair(c.da) },
        integers: { uRange: [0, count, count, numbers.length / 2], uParts: [source.length], uStill: [Number(still)] },
      };
    },
  };
}

/** The largest 1/σ whose squares float32 holds; there only the nearest point has a weight. */
const SHARP = 1e15;

/** @param {number} size */
const fours = (size) => Math.ceil(size / 4);

/** @param {import("./law.js").NetLaw} law @returns {Shaded} */
function ofNet({ net, weights, told = -1 }) {
  const taken = parts(net, weights), at = path(net.path), width = fours(net.width), [low, high] = net.times;
  return {
    glsl: netShader({ waves: fours(net.fourier), width, depth: net.depth }),
    data: { numbers: packed(net, taken), channels: 4 },
    at: (time) => {
      const t = Math.min(Math.max(time, low), high), turned = translation(net.target, at(t)), table = new Float32Array(8 * width);
      [-1, told].forEach((label, which) => table.set(firstBias(net, taken, t, label), 4 * width * which));
      const numbers = turned && { uP: pair(turned.p), uQ: pair(turned.q), uA: pair(turned.a), uDa: pair(turned.da), uG: pair(turned.g) };
      const box = net.box ?? [[-3e38, -3e38], [3e38, 3e38]];
      return { table, floats: { ...numbers, uBox: box.flat() }, integers: { uTranslated: [Number(turned !== null)] } };
    },
  };
}

/** Frequencies, then the layers: for each four outputs their bias, then for each four inputs four rows. @param {import("./net.js").Header} net @param {import("./net.js").Parts} parts */
function packed({ dim, fourier, ...net }, { space, layers }) {
  const waves = fours(fourier), numbers = [];
  for (let k = 0; k < waves; k++)
    for (const axis of [0, 1])
      for (let lane = 0; lane < 4; lane++) numbers.push(axis < dim ? (space[(4 * k + lane) * dim + axis] ?? 0) : 0);
  const raw = rawInputs({ dim, fourier, ...net });
  /** Where an input of the shader's first layer stands in the net's, or nowhere. @param {number} i */
  const first = (i) => {
    if (i < 4) return i < dim ? i : -1;
    const wave = (i - 4) % (4 * waves), cosine = i - 4 >= 4 * waves;
    return wave < fourier ? raw + (cosine ? fourier : 0) + wave : -1;
  };
  layers.forEach(({ matrix, outputs, inputs }, l) => {
    const columns = l ? fours(inputs) : 1 + 2 * waves;
    for (let o = 0; o < fours(outputs); o++) {
      // The first layer's bias is the table's.
      for (let lane = 0; lane < 4; lane++) numbers.push((l && matrix[(4 * o + lane) * (inputs + 1) + inputs]) || 0);
      for (let i = 0; i < 4 * columns; i += 4)
        for (let lane = 0; lane < 4; lane++)
          for (let j = i; j < i + 4; j++) {
            const column = l ? j : first(j), row = 4 * o + lane;
            numbers.push(row < outputs && column >= 0 && column < inputs ? matrix[row * (inputs + 1) + column] : 0);
          }
    }
  });
  return Float32Array.from(numbers);
}
