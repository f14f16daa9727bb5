// The handles of a mixture's component: its centre moves it, a tip on each axis of its ellipse stretches and turns it.
//
// Pure: a component goes in and another comes out, for any affine map between the plane and pixels. A tip stands a
// constant way of pixels beyond one standard deviation, so that a finger finds it on the narrowest component too.

import { clamp } from "../player/numbers.js";

/** @typedef {number[]} Component weight, mean x, mean y, covariance xx, xy, yy */
/** @typedef {number[]} Place x, y: of the plane, or pixels */
/**
 * How the plane lies in a picture of w × h pixels.
 * @typedef {{ css: (place: Place) => Place, plane: (x: number, y: number) => Place, w: number, h: number }} View
 */
/** @typedef {"centre" | "first" | "second"} Handle */

/** Standard deviations that an axis may have, and how far from the middle of the plane a centre may be. */
const LEAST = 0.05, MOST = 2, FARTHEST = 8;
/** In pixels: from the ellipse to a tip, how far off a handle is still met, and what stays free along the picture's edge. */
const GAP = 24, REACH = 14, EDGE = 12;
/** A key's step: of a centre, of an axis as a factor, of the angle; and the finer ones. */
const COARSE = { shift: 0.1, factor: 1.1, turn: Math.PI / 36 }, FINE = { shift: 0.02, factor: 1.02, turn: Math.PI / 180 };

/**
 * The standard deviations along a component's axes, and the angle of the first: the one within 45° of the horizontal.
 * @param {Component} component
 * @returns {{ widths: [number, number], angle: number }}
 */
export function ellipse([, , , sxx, sxy, syy]) {
  const half = (sxx + syy) / 2, gap = Math.hypot((sxx - syy) / 2, sxy), long = half + gap;
  // From the determinant: half − gap would lose the digits of a thin one.
  const short = Math.max(sxx * syy - sxy * sxy, 0) / long, wide = sxx >= syy;
  const turn = wide ? Math.atan2(2 * sxy, sxx - syy) : Math.atan2(-2 * sxy, syy - sxx);
  return { widths: wide ? [Math.sqrt(long), Math.sqrt(short)] : [Math.sqrt(short), Math.sqrt(long)], angle: turn / 2 };
}

/** The component with other axes, each within its bounds: its covariance is positive definite. @param {Component} component @param {number[]} widths @param {number} angle */
export function shaped([weight, x, y], widths, angle) {
  const [p, q] = widths.map((width) => clamp(width, LEAST, MOST) ** 2), c = Math.cos(angle), s = Math.sin(angle);
  return [weight, x, y, p * c * c + q * s * s, (p - q) * c * s, p * s * s + q * c * c];
}

/** The component with its centre at a pixel, or as near as the picture and the plane allow. @param {Component} component @param {Place} pixel @param {View} view */
function placed(component, [px, py], view) {
  const place = view.plane(clamp(px, EDGE, view.w - EDGE), clamp(py, EDGE, view.h - EDGE));
  return [component[0], ...place.map((c) => clamp(c, -FARTHEST, FARTHEST)), ...component.slice(3)];
}

/**
 * A tip in pixels, and which end of its axis it stands at: the one with room.
 * @param {Component} component @param {number} axis 0 or 1 @param {View} view
 * @returns {{ at: Place, side: number }}
 */
function tip(component, axis, view) {
  const { widths, angle } = ellipse(component), turn = angle + (axis * Math.PI) / 2;
  const [, x, y] = component, [cx, cy] = view.css([x, y]), width = Math.max(widths[axis], LEAST);
  const ends = [1, -1].map((side) => {
    const [ex, ey] = view.css([x + side * width * Math.cos(turn), y + side * width * Math.sin(turn)]);
    const longer = 1 + GAP / Math.hypot(ex - cx, ey - cy);
    return { at: [cx + (ex - cx) * longer, cy + (ey - cy) * longer], side };
  });
  return ends.find(({ at }) => within(at, view).every((c, k) => c === at[k])) || ends[0];
}

/** @param {Place} pixel @param {View} view */
const within = ([px, py], { w, h }) => [clamp(px, EDGE, w - EDGE), clamp(py, EDGE, h - EDGE)];

/** Where the two tips of a component are shown, in pixels inside the picture. @param {Component} component @param {View} view */
export const tips = (component, view) => [0, 1].map((axis) => within(tip(component, axis, view).at, view));

/**
 * What a pointer meets: a tip of the chosen component, a centre, else a component's body, which moves as its centre does.
 * @param {Component[]} components @param {number} chosen whose tips are shown; −1 for none @param {View} view @param {Place} pixel
 * @returns {{ part: number, handle: Handle } | null}
 */
export function hit(components, chosen, view, [px, py]) {
  const off = (/** @type {Place} */ [x, y]) => Math.hypot(x - px, y - py), own = components[chosen];
  const [first, second] = own ? tips(own, view).map(off) : [Infinity, Infinity];
  if (Math.min(first, second) <= REACH) return { part: chosen, handle: first <= second ? "first" : "second" };
  // Where centres lie upon each other, the chosen one is met.
  const centres = components.map(([, x, y], k) => off(view.css([x, y])) - (k === chosen ? REACH : 0));
  const nearest = centres.indexOf(Math.min(...centres));
  if (nearest >= 0 && centres[nearest] <= (nearest === chosen ? 0 : REACH)) return { part: nearest, handle: "centre" };
  const [x, y] = view.plane(px, py), depths = components.map((component) => distance(component, x, y));
  const inside = depths.indexOf(Math.min(...depths));
  return inside >= 0 && depths[inside] <= 2 ? { part: inside, handle: "centre" } : null;
}

/** How many standard deviations a place is away. @param {Component} component @param {number} x @param {number} y */
function distance(component, x, y) {
  const { widths, angle } = ellipse(component), dx = x - component[1], dy = y - component[2], c = Math.cos(angle), s = Math.sin(angle);
  return Math.hypot((dx * c + dy * s) / widths[0], (dy * c - dx * s) / widths[1]);
}

/**
 * Take hold of a handle.
 * @param {Component} component @param {Handle} handle @param {View} view @param {Place} pixel of the pointer
 * @returns {(pixel: Place) => Component} what it becomes with the pointer elsewhere; nothing jumps at the start
 */
export function grab(component, handle, view, pixel) {
  const [, x, y] = component, axis = handle === "second" ? 1 : 0;
  const { at, side } = handle === "centre" ? { at: view.css([x, y]), side: 1 } : tip(component, axis, view);
  const slip = at.map((c, k) => c - pixel[k]);
  return ([px, py]) => {
    const to = [px + slip[0], py + slip[1]];
    return handle === "centre" ? placed(component, to, view) : pulled(component, axis, side, to, view);
  };
}

/** The component whose tip is at a pixel. @param {Component} component @param {number} axis @param {number} side @param {Place} pixel @param {View} view */
function pulled(component, axis, side, [px, py], view) {
  const [, x, y] = component, [cx, cy] = view.css([x, y]), { widths, angle } = ellipse(component);
  const far = Math.hypot(px - cx, py - cy), left = Math.max(far - GAP, 1e-3) / far;
  // At the centre itself no direction is left.
  if (!far) return shaped(component, widths.with(axis, LEAST), angle);
  const [ex, ey] = view.plane(cx + (px - cx) * left, cy + (py - cy) * left), dx = side * (ex - x), dy = side * (ey - y);
  return shaped(component, widths.with(axis, Math.hypot(dx, dy)), Math.atan2(dy, dx) - (axis * Math.PI) / 2);
}

/**
 * What a key makes of a component: arrows move it, D and A widen and narrow it, W and S make it taller and flatter, Q
 * and E turn it.
 * @param {Component} component @param {string} key @param {boolean} fine in small steps @param {View} view
 * @returns {Component | null} null for another key
 */
export function step(component, key, fine, view) {
  const { shift, factor, turn } = fine ? FINE : COARSE, [, x, y] = component, { widths: [wide, tall], angle } = ellipse(component);
  const to = (/** @type {number} */ dx, /** @type {number} */ dy) => placed(component, view.css([x + dx, y + dy]), view);
  switch (key.length > 1 ? key : key.toLowerCase()) {
    case "ArrowLeft": return to(-shift, 0);
    case "ArrowRight": return to(shift, 0);
    case "ArrowDown": return to(0, -shift);
    case "ArrowUp": return to(0, shift);
    case "d": return shaped(component, [wide * factor, tall], angle);
    case "a": return shaped(component, [wide / factor, tall], angle);
    case "w": return shaped(component, [wide, tall * factor], angle);
    case "s": return shaped(component, [wide, tall / factor], angle);
    case "q": return shaped(component, [wide, tall], angle + turn);
    case "e": return shaped(component, [wide, tall], angle - turn);
    default: return null;
  }
}
