// The pure parts of the page: links, numbers of sliders, the coefficients' clock, plots' colours, the board, films.

import assert from "node:assert/strict";
import test from "node:test";

import { ellipse } from "../../assets/js/board-drawing.js";
import { nearest, widened } from "../../assets/js/board.js";
import { bars, facts } from "../../assets/js/film.js";
import { hashOf, searchOf } from "../../assets/js/page/address.js";
import { Curves } from "../../assets/js/page/coefficients.js";
import { within } from "../../assets/js/page/inputs.js";
import { themed } from "../../assets/js/plot.js";

test("a link names the experiment and the room", () => {
  assert.equal(hashOf(" The note "), "#the-note");
  assert.equal(hashOf("Paths"), "#paths");
  assert.equal(searchOf("data=moons"), "?data=moons");
  assert.equal(searchOf(""), "");
});

test("a number beyond a slider's ends becomes the end, and none the lower one", () => {
  assert.deepEqual(["7", "-7", "0.5", "", "1e"].map((typed) => within(typed, -1, 1)), [1, -1, 0.5, -1, -1]);
});

test("the drawing of a path runs from noise at the left to data at the right, in a box that holds both curves", () => {
  const { points, low, high } = new Curves({ a: "1 - t", b: "2 * t ^ 2 - t", gamma_squared: "0", numbers: {} });
  assert.ok(Math.abs(low + 1 / 8) < 1e-9 && high === 1);
  // Points come by t: the first is t = 0, the data's end at the right.
  const zero = (10 + 84 / 1.125).toFixed(1);
  assert.deepEqual(points.map((text) => text.split(" ")[0]), ["220.0,10.0", `220.0,${zero}`]);
  assert.deepEqual(points.map((text) => text.split(" ")[80]), [`12.0,${zero}`, "12.0,10.0"]);
});

test("a figure's variables are looked up, wherever they stand, and nothing else changes", () => {
  const figure = { data: [{ x: [1, null, "var(--fm-ink)"], line: { color: "var(--fm-data)" } }], layout: { title: "var(--fm-ink) in words" } };
  assert.deepEqual(themed(figure, (name) => name.toUpperCase()), {
    data: [{ x: [1, null, "--FM-INK"], line: { color: "--FM-DATA" } }], layout: { title: "var(--fm-ink) in words" },
  });
});

test("a component's ellipse has the covariance's eigenvalues for squares of its axes", () => {
  // Eigenvalues of [[2, 1], [1, 2]] are 3 and 1, the first along the diagonal.
  const { long, short, angle } = ellipse([1, 0, 0, 2, 1, 2]);
  assert.ok(Math.hypot(long - Math.sqrt(3), short - 1, angle - Math.PI / 4) < 1e-12);
});

test("the nearest component within reach is taken hold of, and widening has bounds", () => {
  const two = [[0.5, 0, 0, 1, 0, 1], [0.5, 1, 0, 1, 0, 1]];
  assert.deepEqual([nearest(two, 0.6, 0), nearest(two, 0.4, 0), nearest(two, 3, 0), nearest([], 0, 0)], [1, 0, -1, -1]);
  assert.deepEqual(widened([1, 0, 0, 0.1, 0.02, 3.9], 2), [1, 0, 0, 0.2, 0.04, 4]);
  assert.deepEqual(widened([1, 0, 0, 0.006, 0, 1], 0.5), [1, 0, 0, 0.005, 0, 0.5]);
});

test("a film's figures are those of the frame, and a dash where there are none yet", () => {
  const film = { size: [1, 1], x: "", x0: "", t: [1, 0.5], speed: [2], turn: [], bend: [0.25] };
  assert.deepEqual(facts(film, 0).map(([, value]) => value), ["1.000", "2.000", "–", "0.250"]);
  assert.deepEqual(facts(film, 1).map(([, value]) => value), ["0.500", "–", "–", "–"]);
  assert.match(bars([1, 4], 3, "noise"), /viewBox="0 0 3 1".*height="0.25".*height="1".*up to 4.0/);
});
