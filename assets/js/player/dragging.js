// While something is dragged the player computes its scene itself, once a frame, in few steps; when it rests, in all.

import { DRAGGED, fill, isQuick, moved, rework } from "../live/rework.js";
import { chase } from "./chasing.js";
import { settle } from "./resting.js";

/**
 * @typedef {import("./player.js").Player} Player
 * @typedef {import("./scene.js").Scene} Scene
 * @typedef {import("../live/rework.js").Change} Change
 */

/** Milliseconds without a move after which a drag rests. */
const REST = 200;

/** Something is dragged: the next frame shows the scene with it. @param {Player} player @param {Change} change */
export function drag(player, change) {
  if (change.player && change.player !== player.options.id) return;
  player.change = { ...player.change, ...change, numbers: { ...player.change?.numbers, ...change.numbers } };
  player.wake();
}

/** Compute the scene anew with what has been dragged, where it is one that can be. @param {Player} player */
export function follow(player) {
  const { scene, change } = player;
  player.change = null;
  if (!scene || !change || !rework(scene, change)) return;
  const { live } = scene, quick = live && isQuick(live) ? (live.judge ? "" : `u in ${DRAGGED} Heun steps while you drag`) : "follows …";
  shown(player, scene, (pane) => (pane.shows === "flow" ? quick : pane.shows ? "" : "follows when you let go"));
  chase(player, scene, (caption) => shown(player, scene, (pane) => (pane.shows === "flow" ? caption : "")));
  player.strip.stale("measured anew when you let go");
  markMeasured(player, true);
  player.reworked++;
  settle(player, () => rested(player, scene), REST);
}

/** The finger rests: all steps of what was computed in few. @param {Player} player @param {Scene} scene */
function rested(player, scene) {
  if (scene.live && isQuick(scene.live)) {
    fill(scene);
    shown(player, scene, () => "");
  }
  if (moved(scene)) return;
  player.strip.load(scene);
  markMeasured(player, false);
}

/** Show a scene that was computed in place. @param {Player} player @param {Scene} scene @param {(pane: import("./scene.js").Pane) => string} says another caption */
function shown(player, scene, says) {
  player.overlay(null);
  player.renderer.load(scene);
  scene.panes.forEach((pane, i) => player.title(player.boxes[i], { ...pane, caption: says(pane) || pane.caption }, scene.count));
  player.recolour();
}

/** Mark what was measured of a player's scene, elsewhere on the page, as that of another. @param {Player} player @param {boolean} stale */
export function markMeasured({ options: { id } }, stale) {
  for (const part of document.querySelectorAll(`.fm-of-${id}`)) part.classList.toggle("fm-stale", stale);
}
