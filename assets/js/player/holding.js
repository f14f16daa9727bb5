// The components of the data's mixture stand in the pane of P itself while t is near 0: they are dragged where one
// looks. The board owns them; it is told of every move, and answers whether it shows a mixture.

import { grab, hit, tips } from "../live/handles.js";
import { css } from "./colour.js";

/**
 * @typedef {import("./player.js").Player} Player
 * @typedef {import("./plan.js").View} View
 * @typedef {import("../live/handles.js").Component} Component
 * @typedef {{ chosen: number, take: ReturnType<typeof grab> | null, moved: boolean }} Held
 * @typedef {{ part?: number, component?: Component, end?: boolean }} Hold what the board is told; nothing only asks
 */

/** Up to this time the particles are near their data. */
const NEAR = 0.12;
/** The colour of each pane's handles, and their size in pixels. */
const DOT = 5, TIP = 4.5;

/** Tell the board. @param {Hold} [what] @returns {boolean} whether it shows a mixture */
const tell = (what = {}) => !document.dispatchEvent(new CustomEvent("fm-hold", { cancelable: true, detail: what }));

/** The components that can be held in a pane now, or null. @param {Player} player @param {number} pane @returns {Component[] | null} */
export function holdable({ scene, t, time, exporting }, pane) {
  const law = scene?.live?.law;
  if (!scene || time || exporting || t > NEAR || scene.dim === 1 || scene.panes[pane]?.shows !== "flow") return null;
  if (law?.kind !== "mixture" || law.told || scene.live?.judge || !tell()) return null;
  return law.data.map(({ weight, mean, covariance: [xx, xy, , yy] }) => [weight, ...mean, xx, xy, yy]);
}

/** A pane's map of the plane, as handles want it. @param {View} view @returns {import("../live/handles.js").View} */
const mapOf = (view) => ({ w: view.w, h: view.h, css: (place) => view.css(place, 0), plane: (x, y) => view.plane(x, y) });

/** A pointer goes down. @param {Player} player @param {number} pane @param {number[]} pixel @returns {boolean} whether it holds something */
export function hold(player, pane, pixel) {
  const components = holdable(player, pane), view = player.views[pane];
  if (!components || !view) return false;
  const met = hit(components, player.holding.chosen, mapOf(view), pixel);
  if (!met || (met.handle === "centre" && !near(components[met.part], view, pixel))) return false;
  player.holding = { chosen: met.part, take: grab(components[met.part], met.handle, mapOf(view), pixel), moved: false };
  player.setPlaying(false);
  player.wake();
  return true;
}

/** In a pane full of particles only the dot itself is taken hold of. @param {Component} component @param {View} view @param {number[]} pixel */
function near([, x, y], view, [px, py]) {
  const [cx, cy] = view.css([x, y], 0);
  return Math.hypot(px - cx, py - cy) < 16;
}

/** The pointer that holds moves. @param {Player} player @param {number[]} pixel */
export function pull({ holding: held }, pixel) {
  if (!held.take) return;
  held.moved = true;
  tell({ part: held.chosen, component: held.take(pixel) });
}

/** The pointer lets go. @param {Player} player @returns {boolean} whether something was moved */
export function letGo(player) {
  const { take, moved, chosen } = player.holding;
  player.holding = { chosen, take: null, moved: false };
  if (take && moved) tell({ end: true });
  return take !== null;
}

/** @param {CanvasRenderingContext2D} c @param {Player} player @param {View} view @param {number} pane */
export function drawHandles(c, player, view, pane) {
  const components = holdable(player, pane), { theme, holding: held } = player;
  player.boxes[pane]?.classList.toggle("fm-holds", components !== null);
  if (!components) return;
  const chosen = Math.min(held.chosen, components.length - 1);
  const dot = (/** @type {number[]} */ [x, y], /** @type {number} */ size, /** @type {boolean} */ full) => {
    c.beginPath();
    c.arc(view.x + x, view.y + y, size, 0, 7);
    c.fillStyle = css(full ? theme.data : theme.card);
    c.fill();
    c.stroke();
  };
  c.strokeStyle = css(theme.ink);
  c.lineWidth = 1.5;
  components.forEach((component, k) => {
    const centre = view.css(component.slice(1, 3), 0);
    for (const end of k === chosen ? tips(component, mapOf(view)) : []) {
      c.beginPath();
      c.moveTo(view.x + centre[0], view.y + centre[1]);
      c.lineTo(view.x + end[0], view.y + end[1]);
      c.stroke();
      dot(end, TIP, false);
    }
    dot(centre, DOT, true);
  });
}
