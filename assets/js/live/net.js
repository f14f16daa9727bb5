// A trained net as a velocity field: the layers of fmstudio/learn/nets, at one time for many points.
//
//     h = W_x [x, sin 2πFx, cos 2πFx] + (W_t φ(t) + W_c + β),   h ← W silu(h) + β,   u from the target that h is of
//
// What stands in brackets is computed once for a time; the points go through the layers LANES at a time.

import { path } from "./path.js";
import { translate, translation } from "./target.js";

/**
 * What is known of a net beside its weights, as fmstudio/plots/scene/live_net.py writes it.
 * @typedef {object} Header
 * @property {number} dim
 * @property {number} width
 * @property {number} depth
 * @property {number} fourier frequencies of x
 * @property {number} timeFrequencies
 * @property {number} classes
 * @property {import("./target.js").Target} target
 * @property {[number, number]} times at which its answer is its own; outside, the nearest stands in
 * @property {[number[], number[]] | null} box that x̂₀ is held in
 * @property {import("./path.js").PathTexts} path
 * @property {"float16" | "float32"} [precision] of its numbers on their way here
 */
/** [W β] of a layer, a row for each output. @typedef {{ matrix: Float32Array, outputs: number, inputs: number }} Layer */
/** @typedef {{ space: Float32Array, time: Float32Array, layers: Layer[] }} Parts */

const LANES = 4;

/** The numbers of a net from their bytes. @param {Header} net @param {ArrayBuffer} bytes */
export function numbersOf({ precision }, bytes) {
  if (precision !== "float16") return new Float32Array(bytes);
  return Float32Array.from(new Uint16Array(bytes), (half) => {
    const sign = half >> 15 ? -1 : 1, power = (half >> 10) & 31, part = half & 1023;
    // The smallest share the power of 1; the largest power, of infinities, no net has.
    return sign * (power ? 1 + part / 1024 : part / 1024) * 2 ** (Math.max(power, 1) - 15);
  });
}

/** How many inputs of the first layer come before those of the waves of x. @param {Header} net */
export const rawInputs = ({ dim }) => dim + 1;

/**
 * Frequencies and layers of a net, as views of its numbers.
 * @param {Header} net
 * @param {Float32Array} weights
 * @returns {Parts}
 */
export function parts({ dim, width, depth, fourier, timeFrequencies, classes }, weights) {
  let at = 0;
  const next = (/** @type {number} */ size) => weights.subarray(at, (at += size));
  const space = next(fourier * dim), time = next(timeFrequencies);
  const features = dim + 1 + 2 * fourier + 2 * timeFrequencies + (classes ? classes + 1 : 0);
  const sizes = [features, ...Array.from({ length: depth }, () => width), dim];
  const layers = sizes.slice(1).map((outputs, k) => ({ outputs, inputs: sizes[k], matrix: next(outputs * (sizes[k] + 1)) }));
  if (at !== weights.length) throw new Error(`Expected ${at} numbers of the net; got ${weights.length}.`);
  return { space, time, layers };
}

/** All that the first layer adds apart from x. @param {Header} net @param {Parts} parts @param {number} t @param {number} label of no class: −1 */
export function firstBias(net, { time, layers: [{ matrix, outputs, inputs }] }, t, label) {
  const { dim, fourier, timeFrequencies, classes } = net, waves = rawInputs(net) + 2 * fourier, told = waves + 2 * timeFrequencies;
  return Float64Array.from({ length: outputs }, (_, row) => {
    const start = row * (inputs + 1);
    let sum = matrix[start + inputs] + matrix[start + dim] * t;
    time.forEach((frequency, k) => {
      const angle = 2 * Math.PI * frequency * t;
      sum += matrix[start + waves + k] * Math.sin(angle) + matrix[start + waves + timeFrequencies + k] * Math.cos(angle);
    });
    return classes ? sum + matrix[start + told + (label < 0 ? classes : label)] : sum;
  });
}

/**
 * The field of a net.
 * @param {Header} net
 * @param {Float32Array} weights
 * @param {number} [label] the class it is told, or −1
 * @returns {import("./solve.js").Field}
 */
export function netField(net, weights, label = -1) {
  if (label >= net.classes) throw new Error(`Expected a class below ${net.classes}; got ${label}.`);
  const taken = parts(net, weights), [first, ...rest] = taken.layers, at = path(net.path), [low, high] = net.times;
  const start = firstOf(net, first), layers = rest.map(({ matrix, ...sizes }) => ({ ...sizes, matrix: Float64Array.from(matrix) }));
  return (time) => {
    const t = Math.min(Math.max(time, low), high), bias = firstBias(net, taken, t, label);
    const turned = translation(net.target, at(t)), matrix = start.matrix.slice();
    bias.forEach((value, row) => (matrix[row * (start.inputs + 1) + start.inputs] = value));
    return (x, u) => {
      for (let i = 0; i < x.length; i += 2 * LANES) through(net, taken.space, [{ ...start, matrix }, ...layers], x, u, i);
      if (turned) translate(turned, net.box, x, u);
    };
  };
}

/** The first layer's part that meets x and its waves. @param {Header} net @param {Layer} layer */
function firstOf(net, { matrix, outputs, inputs }) {
  const { dim, fourier } = net;
  const columns = Array.from({ length: dim + 2 * fourier }, (_, k) => (k < dim ? k : k - dim + rawInputs(net)));
  const kept = new Float64Array(outputs * (columns.length + 1));
  for (let row = 0; row < outputs; row++)
    columns.forEach((column, k) => (kept[row * (columns.length + 1) + k] = matrix[row * (inputs + 1) + column]));
  return { matrix: kept, outputs, inputs: columns.length };
}

/**
 * Some points through all layers.
 * @param {Header} net @param {Float32Array} space @param {{ matrix: Float64Array, outputs: number, inputs: number }[]} layers
 * @param {Float64Array} x @param {Float64Array} u @param {number} from index of the first coordinate
 */
function through({ dim, fourier }, space, layers, x, u, from) {
  let h = new Float64Array(LANES * (dim + 2 * fourier));
  const lanes = Math.min(LANES, (x.length - from) / 2);
  for (let lane = 0; lane < lanes; lane++) {
    const px = x[from + 2 * lane], py = x[from + 2 * lane + 1];
    h[lane] = px;
    if (dim === 2) h[LANES + lane] = py;
    for (let k = 0; k < fourier; k++) {
      const angle = 2 * Math.PI * (dim === 2 ? space[2 * k] * px + space[2 * k + 1] * py : space[k] * px);
      h[LANES * (dim + k) + lane] = Math.sin(angle);
      h[LANES * (dim + fourier + k) + lane] = Math.cos(angle);
    }
  }
  layers.forEach((layer, k) => {
    if (k) for (let i = 0; i < h.length; i++) h[i] /= 1 + Math.exp(-h[i]);
    h = dense(layer, h);
  });
  for (let lane = 0; lane < lanes; lane++) {
    u[from + 2 * lane] = h[lane];
    u[from + 2 * lane + 1] = dim === 2 ? h[LANES + lane] : 0;
  }
}

/** [W β] on LANES columns at once. @param {{ matrix: Float64Array, outputs: number, inputs: number }} layer @param {Float64Array} h */
function dense({ matrix, outputs, inputs }, h) {
  const out = new Float64Array(LANES * outputs);
  let at = 0;
  for (let row = 0; row < LANES * outputs; row += LANES) {
    const bias = matrix[at + inputs];
    let p = bias, q = bias, r = bias, s = bias;
    for (let j = 0; j < LANES * inputs; j += LANES) {
      const w = matrix[at++];
      p += w * h[j];
      q += w * h[j + 1];
      r += w * h[j + 2];
      s += w * h[j + 3];
    }
    at++;
    out[row] = p;
    out[row + 1] = q;
    out[row + 2] = r;
    out[row + 3] = s;
  }
  return out;
}
