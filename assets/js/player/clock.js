// The clock: t falls from the scene's first time to its last within a sweep, waits there, and begins again.

/** Milliseconds of a sweep at speed 1. */
export const SWEEP = 4000;
/** Milliseconds of the wait at the data. */
export const HOLD = 1000;

/** @typedef {import("./player.js").Player} Player */

/** Let time pass. @param {Player} player @param {number} milliseconds */
export function advance(player, milliseconds) {
  if (player.t > player.end) {
    player.t = Math.max(player.end, player.t - ((player.first - player.end) * player.speed * milliseconds) / SWEEP);
    player.held = 0;
    return;
  }
  player.held += milliseconds;
  if (player.held < HOLD) return;
  player.held = 0;
  player.afterSweep?.();
  if (player.loop) player.t = player.first;
  else player.setPlaying(false);
}

/** A finger goes to a time: what is there stays until it is asked to go on. @param {Pick<Player, "setPlaying" | "seek">} player @param {number} t */
export function scrub(player, t) {
  player.setPlaying(false);
  player.seek(t);
}

/** Do something with the clock stopped, and set it back as it was. @template T @param {Player} player @param {() => Promise<T>} act */
export async function stopped(player, act) {
  const { t, playing } = player;
  player.setPlaying(false);
  try {
    return await act();
  } finally {
    player.tell("");
    player.setPlaying(playing);
    player.seek(t);
  }
}
