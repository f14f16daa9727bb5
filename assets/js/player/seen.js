// What can be read of a player from outside.

/** What tests read of a player. @param {import("./player.js").Player} player */
export function seen(player) {
  return {
    get frame() { return player.frame; },
    get count() { return player.count; },
    get loads() { return player.loads; },
    get reworked() { return player.reworked; },
    get backend() { return player.renderer.name; },
    get t() { return player.t; },
    get playing() { return player.playing; },
    get particles() { return player.scene ? player.scene.count : 0; },
    get view() { return player.time ? "space-time" : "space"; },
    get answered() { return player.answer; },
    get followed() { return player.followed; },
    get disposed() { return player.gone; },
    player,
  };
}
