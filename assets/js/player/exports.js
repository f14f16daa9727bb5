// Files made in the browser: a picture, and one HTML page that plays offline; what a frame of a GIF or film shows.

import { OFFLINE_PAGE, SCRIPT } from "../given.js";
import { css } from "./colour.js";
import { fixed } from "./numbers.js";

/** @typedef {import("./player.js").Player & { scene: import("./scene.js").Scene }} Player one that has its scene */

/** @param {Blob} blob @param {string} name */
export function download(blob, name) {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(blob);
  link.download = name;
  document.body.append(link);
  link.click();
  link.remove();
  setTimeout(() => URL.revokeObjectURL(link.href), 10000);
}

/**
 * Paint the whole stage, headings and a time line on one canvas. Call right after a draw, in the same task.
 * @param {Player} player @param {HTMLCanvasElement} canvas
 */
export function composite(player, canvas) {
  const { theme, dpr, stage } = player, foot = 34, even = (/** @type {number} */ v) => 2 * Math.round(v / 2);
  const width = even(stage.clientWidth * dpr), height = even((stage.clientHeight + foot) * dpr);
  if (canvas.width !== width || canvas.height !== height) {
    canvas.width = width;
    canvas.height = height;
  }
  const c = /** @type {CanvasRenderingContext2D} */ (canvas.getContext("2d")), font = getComputedStyle(player.root).fontFamily;
  c.setTransform(1, 0, 0, 1, 0, 0);
  c.fillStyle = css(theme.card);
  c.fillRect(0, 0, width, height);
  c.setTransform(dpr, 0, 0, dpr, 0, 0);
  player.views.forEach((view, i) => drawHeading(c, player, view, player.scene.panes[i], font));
  for (const layer of [player.base, player.over]) c.drawImage(layer, 0, 0, stage.clientWidth, stage.clientHeight);
  drawTimeLine(c, player, width / dpr, stage.clientHeight + foot / 2 - 3, font);
}

/**
 * A pane's ground, and its title and caption over it.
 * @param {CanvasRenderingContext2D} c @param {Player} player @param {import("./plan.js").View} view
 * @param {import("./scene.js").Pane} pane @param {string} font
 */
function drawHeading(c, { theme }, view, { title, caption }, font) {
  c.fillStyle = css(theme.sunk);
  c.beginPath();
  c.roundRect(view.x, view.y, view.w, view.h, 10);
  c.fill();
  c.textBaseline = "alphabetic";
  c.textAlign = "left";
  c.font = `650 14px ${font}`;
  c.fillStyle = css(theme.ink);
  c.fillText(title, view.x, view.y - 12);
  const used = c.measureText(title).width;
  c.font = `12.5px ${font}`;
  c.fillStyle = css(theme["ink-soft"]);
  c.textAlign = "right";
  if (used + c.measureText(caption).width + 20 < view.w) c.fillText(caption, view.x + view.w, view.y - 12);
}

/** @param {CanvasRenderingContext2D} c @param {Player} player @param {number} width @param {number} y @param {string} font */
function drawTimeLine(c, player, width, y, font) {
  const { theme, first, end, t } = player, left = 60, right = width - 130, share = (first - t) / (first - end);
  const paint = c.createLinearGradient(left, 0, right, 0);
  paint.addColorStop(0, css(theme.noise));
  paint.addColorStop(1, css(theme.data));
  c.fillStyle = paint;
  c.beginPath();
  c.roundRect(left, y - 2, right - left, 4, 2);
  c.fill();
  c.fillStyle = css(theme.card);
  c.strokeStyle = css(theme.ink);
  c.lineWidth = 2;
  c.beginPath();
  c.arc(left + (right - left) * share, y, 6, 0, 7);
  c.fill();
  c.stroke();
  c.font = `12.5px ${font}`;
  c.textBaseline = "middle";
  c.fillStyle = css(theme["ink-soft"]);
  c.textAlign = "right";
  c.fillText("noise", left - 10, y);
  c.textAlign = "left";
  c.fillText("data", right + 10, y);
  c.textAlign = "right";
  c.font = `650 13.5px ${font}`;
  c.fillStyle = css(theme.ink);
  c.fillText(`t = ${fixed(t)}`, width - 16, y);
}

/** What the player shows as a PNG. @param {Player} player @returns {Promise<Blob>} */
export function exportPicture(player) {
  const canvas = document.createElement("canvas");
  player.draw();
  composite(player, canvas);
  return new Promise((resolve, reject) => canvas.toBlob((blob) => (blob ? resolve(blob) : reject(new Error("This browser made no picture."))), "image/png"));
}

/** @param {ArrayBuffer} buffer */
export function base64(buffer) {
  const bytes = new Uint8Array(buffer), parts = [];
  for (let i = 0; i < bytes.length; i += 0x8000) parts.push(String.fromCharCode.apply(null, [...bytes.subarray(i, i + 0x8000)]));
  return btoa(parts.join(""));
}

/**
 * The same page that fmstudio/plots/scene/offline.py writes: player, style and scene in one file, as it is seen.
 * @param {Player} player
 */
export function exportPage(player) {
  const { curves, awaits } = player.scene, measured = awaits && curves ? { of: awaits, curves } : null;
  const options = { ...player.options, curves: Boolean(curves), measured, colour: player.colourMode, layers: Object.keys(player.layers).filter((key) => player.layers[key]) };
  /** @type {Record<string, string>} */
  const fill = {
    TITLE: document.title.replace(/[&<>]/g, (sign) => `&#${sign.charCodeAt(0)};`),
    SCRIPT,
    SCENE: base64(player.scene.buffer),
    OPTIONS: JSON.stringify(options).replaceAll("<", "\\u003c"),
  };
  return new Blob([OFFLINE_PAGE.replace(/\{\{(\w+)\}\}/g, (_, name) => fill[name])], { type: "text/html" });
}
