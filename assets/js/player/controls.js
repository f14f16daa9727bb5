// The player's markup and what its controls are called.

/** @param {string} path */
const icon = (path, filled = false) =>
  `<svg viewBox="0 0 20 20" width="18" height="18" aria-hidden="true" ${filled ? 'fill="currentColor"' : 'fill="none" stroke="currentColor" stroke-width="1.7" stroke-linecap="round" stroke-linejoin="round"'}>${path}</svg>`;

export const ICONS = {
  play: icon('<path d="M6.2 3.6v12.8a.8.8 0 0 0 1.2.7l10-6.4a.8.8 0 0 0 0-1.4l-10-6.4a.8.8 0 0 0-1.2.7z"/>', true),
  pause: icon('<rect x="5" y="3.5" width="3.6" height="13" rx="1"/><rect x="11.4" y="3.5" width="3.6" height="13" rx="1"/>', true),
  back: icon('<path d="M14.5 5 8 10l6.5 5z" fill="currentColor"/><path d="M5.5 5v10"/>'),
  forward: icon('<path d="M5.5 5 12 10l-6.5 5z" fill="currentColor"/><path d="M14.5 5v10"/>'),
  loop: icon('<path d="M4 9.2V8.5a3 3 0 0 1 3-3h8.5"/><path d="m13 3 2.7 2.5L13 8"/><path d="M16 10.8v.7a3 3 0 0 1-3 3H4.5"/><path d="m7 17-2.7-2.5L7 12"/>'),
  full: icon('<path d="M3.5 7.5v-4h4M12.5 3.5h4v4M16.5 12.5v4h-4M7.5 16.5h-4v-4"/>'),
  save: icon('<path d="M10 3v9.5m-3.6-3.3L10 12.8l3.6-3.6M3.8 16.5h12.4"/>'),
};

/** Key, name, what it shows. */
export const LAYERS = [
  ["particles", "particles", "one dot per particle"],
  ["trails", "trails", "where each particle has just been"],
  ["lines", "original lines", "trajectories of Q, in grey"],
  ["field", "marginal", "how dense the cloud is, behind the particles"],
  ["arrows", "velocity arrows", "the velocity on a grid, drawn the way particles move"],
];

const COLOURS = [
  ["class", "class"],
  ["start", "start point"],
  ["end", "end point"],
  ["identity", "identity"],
  ["plain", "one colour"],
];

/** @param {number} index */
export function paneMarkup(index) {
  return `<section class="fm-pane"><header><h3></h3><p></p></header>
    <div class="fm-view" tabindex="0" role="img" aria-label="" data-pane="${index}"></div></section>`;
}

/** @param {Record<string, string>} names other names of layers */
export function playerMarkup(names) {
  const chips = LAYERS.map(([key, name, title]) => `<button type="button" class="fm-chip" data-layer="${key}" title="${title}" aria-pressed="false">${names[key] || name}</button>`).join("");
  const colours = COLOURS.map(([key, name]) => `<option value="${key}">${name}</option>`).join("");
  const speeds = [0.25, 0.5, 1, 2, 4].map((v) => `<option value="${v}" ${v === 1 ? "selected" : ""}>${v}×</option>`).join("");
  return `
  <div class="fm-stage"><canvas class="fm-base" aria-hidden="true"></canvas><canvas class="fm-over" aria-hidden="true"></canvas>
    <div class="fm-badge" hidden></div><div class="fm-hint" hidden></div></div>
  <div class="fm-bar" role="group" aria-label="Player">
    <button type="button" class="fm-play" data-do="play" aria-label="Play" title="play or pause (space)">${ICONS.play}</button>
    <button type="button" class="fm-icon" data-do="back" aria-label="One frame back, towards noise" title="one frame back (←)">${ICONS.back}</button>
    <button type="button" class="fm-icon" data-do="forward" aria-label="One frame forward, towards data" title="one frame on (→)">${ICONS.forward}</button>
    <label class="fm-time"><span>noise</span><input type="range" class="fm-slider" min="0" max="1" step="any" value="0" aria-label="Time, from noise to data"><span>data</span></label>
    <output class="fm-clock">t = 1.00</output>
    <span class="fm-tools">
      <select class="fm-pill" data-choose="speed" aria-label="Speed">${speeds}</select>
      <button type="button" class="fm-icon" data-do="loop" aria-label="Start again at the end" aria-pressed="true" title="loop">${ICONS.loop}</button>
      <span class="fm-seg" role="group" aria-label="View"><button type="button" data-view="space" aria-pressed="true">space</button><button type="button" data-view="time" aria-pressed="false">space–time</button></span>
      <button type="button" class="fm-icon" data-do="full" aria-label="Full screen" title="full screen">${ICONS.full}</button>
      <span class="fm-menu"><button type="button" class="fm-icon" data-do="menu" aria-label="Export" aria-haspopup="menu" aria-expanded="false" title="export">${ICONS.save}</button>
        <span class="fm-items" role="menu" hidden>
          <button type="button" role="menuitem" data-do="png">Picture <small>PNG</small></button>
          <button type="button" role="menuitem" data-do="gif">Animation <small>GIF, one sweep</small></button>
          <button type="button" role="menuitem" data-do="film">Film <small>MP4 or WebM, one sweep</small></button>
          <button type="button" role="menuitem" data-do="html">Offline player <small>one HTML file</small></button>
        </span></span>
    </span>
  </div>
  <div class="fm-chips" role="group" aria-label="Layers">${chips}
    <span class="fm-right"><label class="fm-pill fm-colour fm-coordinate" hidden>coordinate: <select data-choose="coordinate" aria-label="Coordinate shown against time"><option value="0">horizontal</option><option value="1">vertical</option></select></label>
    <label class="fm-trail" title="trail length">trail <input type="range" min="0.02" max="1" step="0.02" value="0.16" data-choose="trail" aria-label="Trail length"></label>
    <label class="fm-pill fm-colour">colour: <select data-choose="colour" aria-label="Colour by">${colours}</select></label></span></div>
  <div class="fm-strip fm-without"><div class="fm-strip-head"><h3 class="fm-strip-title"></h3><p class="fm-strip-caption"></p><span class="fm-legend"></span></div>
    <canvas role="img" aria-label="Curves over time; click to go to a time"></canvas></div>
  <div class="fm-say" aria-live="polite"></div>`;
}

/**
 * Write plain text into an element with its mathematics set: "p_t" becomes p with a subscript t.
 * @param {Element} element @param {string} text
 */
export function typeset(element, text) {
  element.replaceChildren();
  text.split(/(\b[a-zA-Zε]_\w\b)/).forEach((part, i) => {
    if (i % 2 === 0) return element.append(part);
    const symbol = document.createElement("span"), sub = document.createElement("sub");
    symbol.className = "fm-math";
    sub.textContent = part.slice(2);
    symbol.append(part[0], sub);
    element.append(symbol);
  });
}

/** Make the controls say what the state is. @param {import("./player.js").Player} player */
export function reflect(player) {
  const { root, scene, time } = player, one = (/** @type {string} */ selector) => /** @type {any} */ (root.querySelector(selector));
  const play = one('[data-do="play"]'), label = player.playing ? "Pause" : "Play";
  if (play.getAttribute("aria-label") !== label) {
    play.innerHTML = player.playing ? ICONS.pause : ICONS.play;
    play.setAttribute("aria-label", label);
  }
  one('[data-do="loop"]').setAttribute("aria-pressed", String(player.loop));
  for (const button of root.querySelectorAll("[data-view]")) button.setAttribute("aria-pressed", String((button.getAttribute("data-view") === "time") === time));
  root.classList.toggle("fm-scrubs", time && scene?.dim === 2);
  one(".fm-coordinate").hidden = !time || scene?.dim === 1;
  one('[data-choose="coordinate"]').value = String(player.coordinate);
  one(".fm-trail").hidden = time;
  one(".fm-trail").classList.toggle("fm-off", !player.layers.trails);
  const colour = one('[data-choose="colour"]');
  colour.querySelector('[value="class"]').disabled = scene !== null && !scene.labels;
  colour.value = player.colourMode;
  one('[data-do="full"]').hidden = !document.fullscreenEnabled;
  reflectLayers(player);
}

/** @param {import("./player.js").Player} player */
function reflectLayers({ root, scene, time, layers }) {
  /** @type {Record<string, boolean>} */
  const able = {
    lines: !scene || scene.panes.some((pane) => pane.lines),
    arrows: !scene || (!time && scene.panes.some((pane) => pane.arrows)),
  };
  for (const each of root.querySelectorAll("[data-layer]")) {
    const chip = /** @type {HTMLButtonElement} */ (each), key = String(chip.dataset.layer);
    chip.setAttribute("aria-pressed", String(layers[key]));
    chip.disabled = able[key] === false;
    if (key === "arrows") chip.hidden = time;
    if (key === "trails") chip.textContent = time ? "trajectories" : "trails";
  }
}
