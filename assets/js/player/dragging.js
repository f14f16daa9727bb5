// While something is dragged the player computes its scene itself, once a frame; when it is let go, one comes.

import { DRAGGED, rework } from "../live/rework.js";

/**
 * @typedef {import("./player.js").Player} Player
 * @typedef {import("../live/rework.js").Change} Change
 */

/** Something is dragged: the next frame shows the scene with it. @param {Player} player @param {Change} change */
export function drag(player, { numbers, data }) {
  player.change = { numbers: { ...player.change?.numbers, ...numbers }, data: data ?? player.change?.data };
  player.wake();
}

/** Compute the scene anew with what has been dragged, where it is one that can be. @param {Player} player */
export function follow(player) {
  const { scene, change } = player;
  player.change = null;
  if (!scene || !change || !rework(scene, change)) return;
  player.overlay(null);
  player.renderer.load(scene);
  scene.panes.forEach((pane, i) => {
    if (pane.shows === "flow") player.title(player.boxes[i], { ...pane, caption: `u in ${DRAGGED} Heun steps while you drag` }, scene.count);
  });
  player.strip.stale();
  player.recolour();
  player.reworked++;
}
