// Laws: what a field is of. A mixture, a cloud of points or a net; each with a class, and guided by it, if asked.

import { prepared as ofCloud, thinned, velocity as inCloud } from "./cloud.js";
import { prepared, velocity } from "./mixture.js";
import { netField, rawInputs } from "./net.js";
import { path } from "./path.js";

/** @typedef {import("./mixture.js").Component} Component */
/** Exact fields also say log q_t, (n). @typedef {(t: number) => (x: Float64Array, u: Float64Array, logDensity?: Float64Array | null) => void} Field */
/**
 * The field of `told`, the part of a class, pushes that of all: u∅ + w (u_c − u∅), with the guidance w (1 if it is left out).
 * @typedef {{ kind: "mixture", path: import("./path.js").PathTexts, data: Component[], source: Component[], told?: Component[], guidance?: number }} MixtureLaw
 * @typedef {{ kind: "cloud", path: import("./path.js").PathTexts, data: Float32Array, source: Component[], told?: Float32Array, guidance?: number }} CloudLaw points (N, 2)
 * @typedef {{ kind: "net", net: import("./net.js").Header, weights: Float32Array, told?: number, guidance?: number }} NetLaw
 * @typedef {MixtureLaw | CloudLaw | NetLaw} Law
 */

/** The share that a class has in a field: 1 where it is the class's own. @param {Law} law */
export const guidanceOf = ({ told, guidance = 1 }) => (told === undefined ? 0 : guidance);

/** The velocity of a law. @param {Law} law @returns {Field} */
export function fieldOf(law) {
  const w = guidanceOf(law), all = w === 1 ? null : single(law, false), one = w === 0 ? null : single(law, true);
  if (!all || !one) return /** @type {Field} */ (all ?? one);
  return (t) => {
    const null_ = all(t), told = one(t);
    return (x, u, logDensity) => {
      refuse(logDensity);
      const other = new Float64Array(u.length);
      null_(x, u);
      told(x, other);
      for (let i = 0; i < u.length; i++) u[i] += w * (other[i] - u[i]);
    };
  };
}

/** @param {Float64Array | null} [logDensity] */
function refuse(logDensity) {
  if (logDensity) throw new Error("A net and a guided field know no density.");
}

/** @param {Law} law @param {boolean} told whether of the class @returns {Field} */
function single(law, told) {
  if (law.kind === "net") {
    const net = netField(law.net, law.weights, told ? law.told : -1);
    return (t) => {
      const u = net(t);
      return (x, out, logDensity) => {
        refuse(logDensity);
        u(x, out);
      };
    };
  }
  const at = path(law.path);
  if (law.kind === "mixture") {
    const data = (told && law.told) || law.data;
    return (t) => {
      const numbers = prepared(data, law.source, at(t));
      return (x, u, logDensity) => velocity(numbers, x, u, logDensity);
    };
  }
  const points = (told && law.told) || law.data;
  return (t) => {
    const numbers = ofCloud(points, law.source, at(t));
    return (x, u, logDensity) => inCloud(numbers, x, u, logDensity);
  };
}

/** How many terms a velocity at one point sums: pairs, or the products of a net. @param {Law} law */
export function terms(law) {
  const w = guidanceOf(law), twice = w === 0 || w === 1 ? 1 : 2;
  if (law.kind === "net") {
    const { width, depth, fourier, dim } = law.net;
    return twice * width * (rawInputs(law.net) + 2 * fourier + (depth - 1) * width + dim);
  }
  const size = (/** @type {Component[] | Float32Array} */ data) => law.source.length * (law.kind === "cloud" ? data.length / 2 : data.length);
  return (w === 1 ? 0 : size(law.data)) + (w === 0 ? 0 : size(law.told ?? []));
}

/** A cloud of at most so many points in the place of a larger one, the same for the same seed. @param {CloudLaw} law @param {number} most @param {number} seed @returns {CloudLaw} */
export const standInFor = (law, most, seed) => ({
  ...law, data: thinned(law.data, most, seed), told: law.told && thinned(law.told, most, seed),
});
