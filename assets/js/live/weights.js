// A mixture's components as a person edits them, rows of six numbers: what each weighs, one more, one less.

import { ellipse } from "./handles.js";
import { fixed } from "../player/numbers.js";

/** @typedef {import("./handles.js").Component} Component */

/** The least share of a component: four decimals travel. */
const LEAST = 0.001;

/** The shares of the components, with sum 1. @param {Component[]} components */
export function shares(components) {
  const total = components.reduce((sum, [weight]) => sum + weight, 0);
  return components.map(([weight]) => weight / total);
}

/** The mixture with another share of one component; the others keep their proportions. @param {Component[]} components @param {number} part @param {number} share from 0.01 to 0.99 */
export function weighted(components, part, share) {
  const before = shares(components), rest = 1 - before[part];
  if (components.length === 1) return [[1, ...components[0].slice(1)]];
  const kept = Math.min(0.99, Math.max(0.01, share));
  const after = before.map((old, k) => (k === part ? 0 : Math.max(LEAST, (old / rest) * (1 - kept))));
  after[part] = 1 - after.reduce((sum, w) => sum + w, 0);
  return components.map((component, k) => [after[k], ...component.slice(1)]);
}

/** The mixture with one more component, of an equal share and where there is most room. @param {Component[]} components */
export function added(components) {
  const lattice = [0, 1.2, -1.2, 2.4, -2.4], spots = lattice.flatMap((x) => lattice.map((y) => [x, y]));
  const room = spots.map(([x, y]) => Math.min(9, ...components.map(([, mx, my]) => Math.hypot(x - mx, y - my))));
  const share = 1 / (components.length + 1), old = shares(components);
  const kept = components.map((component, k) => [Math.max(LEAST, old[k] * (1 - share)), ...component.slice(1)]);
  return [...kept, [share, ...spots[room.indexOf(Math.max(...room))], 0.16, 0, 0.16]];
}

/** The mixture without one component. @param {Component[]} components @param {number} part */
export const without = (components, part) => components.filter((_, k) => k !== part);

/** The components as the picture's own arithmetic takes them. @param {Component[]} components @returns {import("./mixture.js").Component[]} */
export function lawOf(components) {
  const weights = shares(components);
  return components.map(([, mx, my, xx, xy, yy], k) => ({ weight: weights[k], mean: [mx, my], covariance: [xx, xy, xy, yy] }));
}

/** A component in words. @param {Component[]} components @param {number} part */
export function described(components, part) {
  const [, x, y] = components[part], { widths, angle } = ellipse(components[part]), degrees = Math.round((angle * 180) / Math.PI);
  return (
    `Component ${part + 1} of ${components.length} at ${fixed(x)}, ${fixed(y)}; widths ${fixed(widths[0])}, ` +
    `${fixed(widths[1])}; angle ${fixed(degrees, 0)}°; weight ${fixed(100 * shares(components)[part], 0)} %`
  );
}
