// Mouse, touch and keys; and the watchers of the theme, the size and whether the player is in sight.

import { ask } from "./asking.js";
import { scrub } from "./clock.js";
import { readTheme } from "./colour.js";
import { clamp } from "./numbers.js";
import { save } from "./saving.js";

/**
 * @typedef {import("./player.js").Player} Player
 * @typedef {import("./player.js").Loaded} Loaded
 */

const WRITES = "textarea, select, input:not([type=radio], [type=checkbox], [type=button]), [contenteditable]";
/** @type {Record<string, number[]>} */
const MOVES = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };

export class Input {
  /** Whether the pointer is over the player. */
  hovered = false;

  /** @param {Player} player */
  constructor(player) {
    this.player = player;
    this.stop = new AbortController();
    const { root } = player, { signal } = this.stop;
    root.addEventListener("click", (event) => this.click(event), { signal });
    root.addEventListener("input", (event) => this.choose(event), { signal });
    this.listenPointer(signal);
    document.addEventListener("keydown", (event) => this.key(event), { signal });
    document.addEventListener("fullscreenchange", () => player.layout(), { signal });
    const theme = new MutationObserver(() => {
      if (document.body.classList.contains("dark") === player.theme.dark) return;
      player.theme = readTheme(root);
      player.recolour();
    });
    theme.observe(document.body, { attributes: true, attributeFilter: ["class"] });
    const size = new ResizeObserver(() => (root.isConnected ? player.layout() : player.dispose()));
    size.observe(player.stage);
    const sight = new IntersectionObserver((entries) => {
      player.away = !entries[entries.length - 1].isIntersecting;
      if (!player.away) player.wake();
    });
    sight.observe(root);
    this.watchers = [theme, size, sight];
  }

  dispose() {
    this.stop.abort();
    for (const watcher of this.watchers) watcher.disconnect();
  }

  /** @param {MouseEvent} event */
  click(event) {
    const { player } = this, button = event.target instanceof Element ? event.target.closest("button") : null;
    if (!button || !player.root.contains(button)) return this.menu(false);
    // After a click of the mouse the space bar plays; who came by Tab keeps the button.
    if (event.detail) button.blur();
    const { do: what, layer, view } = button.dataset;
    if (what) this.act(what);
    if (layer) {
      player.layers[layer] = !player.layers[layer];
      player.reflect();
      player.wake();
    }
    if (view) player.setView(view === "time");
  }

  /** @param {Event} event */
  choose(event) {
    const { player } = this, { dataset: { choose: what }, value } = /** @type {HTMLInputElement} */ (event.target);
    if (event.target === player.slider) scrub(player, player.first - Number(value));
    if (what === "speed") player.speed = Number(value);
    if (what === "trail") player.trailShare = Number(value);
    if (what === "coordinate") {
      player.coordinate = Number(value);
      player.mapViews();
    }
    if (what === "colour") {
      player.colourMode = value;
      player.recolour();
    }
    player.wake();
    // What happens inside the player is no change of Gradio's value.
    event.stopPropagation();
  }

  /** @param {boolean} open */
  menu(open) {
    const { root } = this.player;
    /** @type {HTMLElement} */ (root.querySelector(".fm-items")).hidden = !open;
    root.querySelector('[data-do="menu"]')?.setAttribute("aria-expanded", String(open));
  }

  /** What a button of the bar does. @param {string} what */
  act(what) {
    const { player } = this, shut = Boolean(player.root.querySelector(".fm-items[hidden]"));
    this.menu(what === "menu" && shut);
    if (what === "full") void (document.fullscreenElement ? document.exitFullscreen() : player.root.requestFullscreen());
    if (what === "loop") {
      player.loop = !player.loop;
      player.reflect();
    }
    if (!player.scene || ["menu", "full", "loop"].includes(what)) return;
    if (what === "play") player.setPlaying(!player.playing);
    else if (what === "back") player.step(-1);
    else if (what === "forward") player.step(1);
    else void save(/** @type {Loaded} */ (player), what);
  }

  /** @param {AbortSignal} signal */
  listenPointer(signal) {
    const { player } = this, { root, stage } = player;
    const place = (/** @type {PointerEvent | MouseEvent} */ event) => {
      const box = event.target instanceof Element ? /** @type {HTMLElement | null} */ (event.target.closest(".fm-view")) : null;
      if (!box) return null;
      const r = box.getBoundingClientRect();
      return { pane: Number(box.dataset.pane), x: event.clientX - r.left, y: event.clientY - r.top, down: event.buttons > 0 };
    };
    root.addEventListener("pointermove", () => (this.hovered = true), { signal });
    root.addEventListener("pointerleave", () => (this.hovered = false), { signal });
    stage.addEventListener("pointermove", (event) => {
      const was = player.pointer;
      player.pointer = event.pointerType === "touch" || player.exporting ? null : place(event);
      if (player.pointer || was) player.wake();
    }, { signal });
    stage.addEventListener("pointerleave", () => {
      player.pointer = null;
      player.wake();
    }, { signal });
    stage.addEventListener("click", (event) => {
      const at = place(event), view = at && player.views[at.pane];
      if (!view || !player.scene) return;
      const loaded = /** @type {Loaded} */ (player), [x, y] = view.plane(at.x, at.y);
      if (!player.time) ask(loaded, at.pane, x, y, player.t);
      else if (player.scene.dim === 1) ask(loaded, at.pane, x, 0, view.timeAt(at.x));
      else {
        player.setPlaying(false);
        player.seek(view.timeAt(at.x));
      }
    }, { signal });
  }

  /** @param {KeyboardEvent} event */
  key(event) {
    // Who walks the page by Tab means the focused control, wherever the pointer was left lying.
    if (event.key === "Tab") this.hovered = false;
    const { player } = this, active = document.activeElement, inside = active !== null && player.root.contains(active);
    if (!(inside || (this.hovered && !active?.matches(WRITES))) || event.ctrlKey || event.metaKey || event.altKey) return;
    if (!player.scene || player.away || !player.stage.clientWidth) return;
    const tag = inside ? active.tagName : "", box = inside && active.classList.contains("fm-view") ? active : null;
    if (box && this.keyAim(event, /** @type {Loaded} */ (player), Number(box.getAttribute("data-pane")))) return event.preventDefault();
    if (tag === "SELECT" || (tag === "INPUT" && active !== player.slider)) return;
    if (event.key === "Escape") this.menu(false);
    if (this.keyClock(event, tag)) event.preventDefault();
  }

  /** Keys of the clock; false for any other. @param {KeyboardEvent} event @param {string} tag of what has the focus */
  keyClock({ key, shiftKey }, tag) {
    const { player } = this, wide = shiftKey ? 5 : 1;
    if (key === " " && tag !== "BUTTON") player.setPlaying(!player.playing);
    else if (key === "ArrowLeft") player.step(-wide);
    else if (key === "ArrowRight") player.step(wide);
    else if (key === "Home" || key === "End") {
      player.setPlaying(false);
      player.seek(key === "Home" ? player.first : player.end);
    } else return false;
    return true;
  }

  /**
   * On a focused pane Enter brings up a cross, arrows move it, Enter asks about its point, Escape puts it away.
   * @param {KeyboardEvent} event @param {Loaded} player @param {number} pane
   */
  keyAim(event, player, pane) {
    const view = player.views[pane], { aim } = player;
    if (player.time && player.scene.dim !== 1) return false;
    if (event.key === "Enter" && aim?.pane === pane) ask(player, pane, aim.x, aim.y, player.t);
    else if (event.key === "Enter") {
      const [x, y] = view.plane(view.w / 2, view.h / 2);
      player.aim = { pane, x, y: player.scene.dim === 1 ? 0 : y };
      player.say.textContent = "Arrow keys move the cross, Enter asks about its point, Escape leaves.";
    } else if (aim && event.key === "Escape") player.aim = null;
    else if (aim && MOVES[event.key]) {
      const [dx, dy] = MOVES[event.key], reach = event.shiftKey ? 20 : 4, [px, py] = view.css([aim.x, aim.y], player.t);
      const [x, y] = view.plane(clamp(px + reach * dx, 4, view.w - 4), clamp(py + reach * dy, 4, view.h - 4));
      player.aim = { pane, x, y };
    } else return false;
    player.wake();
    return true;
  }
}
