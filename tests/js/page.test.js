// The pure parts of the page: links, numbers of sliders, the coefficients' clock, plots' colours, the board, films.

import assert from "node:assert/strict";
import test from "node:test";

import { echoes } from "../../assets/js/board.js";
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

test("an answer to a change of the board is known from what comes from elsewhere", () => {
  const row = [0.5, 1, 1, 0.2, 0, 0.2], says = { mode: "mixture", strokes: [], components: [[0.5, 1, 1, 0.2, 0, 0.2001]] };
  assert.equal(echoes(says, "mixture", [], [row]), true);
  assert.equal(echoes(says, "mixture", [], [row, row]), false);
  assert.equal(echoes(says, "mixture", [], [[0.5, 1.1, 1, 0.2, 0, 0.2]]), false);
  assert.equal(echoes(says, "draw", [], [row]), false);
  const drawn = { mode: "draw", strokes: [[[0, 0]], [[1, 1], [2, 2]]] };
  assert.equal(echoes(drawn, "draw", [[[0, 0]], [[1, 1], [2, 2]]], []), true);
  assert.equal(echoes(drawn, "draw", [[[0, 0]], [[1, 1]]], []), false);
  assert.equal(echoes({ mode: "cloud", strokes: [] }, "cloud", [], []), false);
});

test("a film's figures are those of the frame, and a dash where there are none yet", () => {
  const film = { size: [1, 1], x: "", x0: "", t: [1, 0.5], speed: [2], turn: [], bend: [0.25] };
  assert.deepEqual(facts(film, 0).map(([, value]) => value), ["1.000", "2.000", "–", "0.250"]);
  assert.deepEqual(facts(film, 1).map(([, value]) => value), ["0.500", "–", "–", "–"]);
  assert.match(bars([1, 4], 3, "noise"), /viewBox="0 0 3 1".*height="0.25".*height="1".*up to 4.0/);
});
