// What the board draws: its axes, strokes of the brush, the points of a file, the components of a mixture.

import { ellipse } from "./live/handles.js";

/**
 * @typedef {import("./live/handles.js").Place} Place
 * @typedef {import("./live/handles.js").Component} Component
 * @typedef {{ points: Place[], labels: number[] | null }} Cloud
 * @typedef {CanvasRenderingContext2D} Pen
 */

/** The board shows −SPAN … SPAN both ways. */
export const SPAN = 3.5;

/** A colour of the theme. @param {string} name */
const css = (name) => getComputedStyle(document.body).getPropertyValue(name).trim();

/** @param {Pen} pen @param {number} x @param {number} y @returns {[number, number]} */
const toPixel = ({ canvas }, x, y, span = SPAN) => [((x / span + 1) / 2) * canvas.width, ((1 - y / span) / 2) * canvas.height];

/** Empty the board and draw its axes. @param {Pen} pen */
export function drawAxes(pen) {
  const { width, height } = pen.canvas;
  pen.clearRect(0, 0, width, height);
  pen.strokeStyle = css("--fm-border");
  pen.beginPath();
  pen.moveTo(width / 2, 0);
  pen.lineTo(width / 2, height);
  pen.moveTo(0, height / 2);
  pen.lineTo(width, height / 2);
  pen.stroke();
}

/** @param {Pen} pen @param {Place[][]} strokes */
export function drawStrokes(pen, strokes) {
  pen.strokeStyle = css("--fm-data");
  pen.lineWidth = pen.canvas.width / 34;
  pen.lineCap = pen.lineJoin = "round";
  for (const stroke of strokes) {
    pen.beginPath();
    for (const [x, y] of stroke) {
      const [u, v] = toPixel(pen, x, y);
      pen.lineTo(u, v);
    }
    if (stroke.length === 1) {
      const [u, v] = toPixel(pen, stroke[0][0] + 0.01, stroke[0][1]);
      pen.lineTo(u, v);
    }
    pen.stroke();
  }
  pen.lineWidth = 1;
}

/** @param {Pen} pen @param {Cloud} cloud */
export function drawCloud(pen, { points, labels }) {
  const span = points.reduce((most, [x, y]) => Math.max(most, Math.abs(x), Math.abs(y)), SPAN);
  const size = Math.max(2, pen.canvas.width / 140), flat = points.every(([, y]) => y === 0);
  const colours = [...Array(10).keys()].map((k) => css(`--fm-class-${k}`)), data = css("--fm-data");
  points.forEach(([x, y], k) => {
    const [u, v] = toPixel(pen, x, y, span), tall = flat ? 8 * size : size;
    pen.fillStyle = labels ? colours[labels[k] % colours.length] : data;
    pen.fillRect(u - size / 2, v - tall / 2, size, tall);
  });
}

/**
 * @param {Pen} pen @param {Component[]} components their weights with sum 1 @param {number} chosen
 * @param {number} span half of what the board shows @param {Place[]} ends of the lines from the chosen centre to its handles
 */
export function drawComponents(pen, components, chosen, span, ends) {
  const unit = pen.canvas.width / 2 / span, size = pen.canvas.width / 50, heaviest = Math.max(...components.map(([weight]) => weight));
  components.forEach((component, k) => {
    const [weight, x, y] = component, { widths, angle } = ellipse(component), [u, v] = toPixel(pen, x, y, span);
    pen.fillStyle = css("--fm-data");
    pen.globalAlpha = 0.08 + (0.4 * weight) / heaviest;
    for (const level of [1, 2]) {
      pen.beginPath();
      pen.ellipse(u, v, level * unit * widths[0], level * unit * widths[1], -angle, 0, 7);
      pen.fill();
    }
    pen.globalAlpha = 1;
    pen.strokeStyle = pen.fillStyle = css(k === chosen ? "--fm-ink" : "--fm-data");
    pen.beginPath();
    for (const end of k === chosen ? ends : []) {
      pen.moveTo(u, v);
      pen.lineTo(...toPixel(pen, end[0], end[1], span));
    }
    pen.stroke();
    pen.beginPath();
    pen.arc(u, v, size, 0, 7);
    pen.fill();
  });
}
