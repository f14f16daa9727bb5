// What waits until the finger rests: the curves of a scene, asked for once nothing has changed for a moment.

import { moved } from "../live/rework.js";

/** @typedef {import("./player.js").Player} Player */

/** Milliseconds after which a new scene asks for what it awaits. */
const REST = 150;

/** Do something when this time has passed without another scene or move. @param {Player} player @param {() => void} act @param {number} milliseconds */
export function settle(player, act, milliseconds) {
  clearTimeout(player.resting);
  player.resting = setTimeout(act, milliseconds);
}

/** Ask for the curves that the new scene awaits. @param {Player} player */
export function askForCurves(player) {
  const { scene, options } = player;
  if (scene?.awaits) settle(player, () => options.onRest?.({ awaits: scene.awaits }), REST);
}

/**
 * Curves that came after their scene; those of another scene are left.
 * @param {Player} player @param {{ of: string, curves: import("./scene.js").Curves } | null | undefined} found
 */
export function takeCurves(player, found) {
  const { scene } = player;
  if (!found || !scene || found.of !== scene.awaits || scene.curves) return;
  scene.curves = found.curves;
  if (!moved(scene)) player.strip.load(scene);
  player.wake();
}
