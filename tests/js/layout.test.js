// The maps from the plane into a pane, and the plan that both renderers follow.

import assert from "node:assert/strict";
import test from "node:test";

import { viewOf } from "../../assets/js/player/layout.js";
import { trailParts } from "../../assets/js/player/plan.js";
import { readScene } from "../../assets/js/player/scene.js";
import { sceneFile } from "./scenes.js";

const scene = readScene(sceneFile()), pane = { x: 10, y: 20, w: 400, h: 200 };
const seen = { dpr: 2, time: false, coordinate: 0, first: 1, end: 0 };

test("the plane lies in the middle of a wide pane, at one scale, with y upwards", () => {
  const view = viewOf(pane, scene, seen);
  assert.deepEqual(view.css([0, 0], 1), [200, 100]);
  assert.deepEqual(view.css([1, 1], 1), [300, 0]);
  assert.deepEqual(view.css([-1, -1], 1), [100, 200]);
  assert.deepEqual(view.plane(300, 0), [1, 1]);
  assert.deepEqual(view.rect, [20, 40, 800, 400]);
});

test("device pixels of a stored position are those of its place", () => {
  const view = viewOf(pane, scene, seen), [ox, oy, sx, sy] = view.norm;
  // q = 32767/2 stands for 1 in a box of half-width 2.
  assert.deepEqual([ox + sx / 2, oy + sy / 2], view.css([1, 1], 1).map((v) => 2 * v));
  // And a pixel's place in the marginal: the middle of the pane is the middle of the field.
  assert.deepEqual([view.uv[0] + view.uv[2] * 400, view.uv[1] + view.uv[3] * 200], [0.5, 0.5]);
});

test("over time noise is at the left, data at the right, and back again", () => {
  const view = viewOf(pane, scene, { ...seen, time: true, coordinate: 1 });
  assert.deepEqual([view.cssTimeX(1), view.cssTimeX(0)], [34, 386]);
  assert.ok(Math.abs(view.timeAt(view.cssTimeX(0.3)) - 0.3) < 1e-12);
  assert.deepEqual([view.timeAt(-50), view.timeAt(1000)], [1, 0]);
  assert.deepEqual(view.css([9, 1], 0.5), [210, 12]);
  assert.deepEqual(view.plane(0, view.cssY([0, 0.5])), [0, 0.5]);
});

const plan = { at: { frame: 3, mix: 0.5 }, time: false, trail: 2, trailAlpha: 0.5, pastAlpha: 0.6, aheadAlpha: 0.2 };

test("a trail of two frames ends where the particle is, and fades to nothing at its end", () => {
  const parts = trailParts(plan, 10);
  assert.deepEqual(parts.map(({ frame, from, to }) => [frame, from, to]), [[1, 0.5, 1], [2, 0, 1], [3, 0, 0.5]]);
  assert.equal(parts[0].fadeFrom, 0);
  assert.equal(parts[2].fadeTo, 0.5);
  for (let k = 1; k < parts.length; k++) assert.equal(parts[k].fadeFrom, parts[k - 1].fadeTo);
});

test("over time the whole trajectory stands there, stronger where it was travelled", () => {
  const parts = trailParts({ ...plan, time: true }, 5);
  assert.equal(parts.reduce((sum, { from, to }) => sum + to - from, 0), 5);
  for (const { frame, to, fadeFrom } of parts) assert.equal(fadeFrom, frame + to <= 3.5 ? 0.6 : 0.2);
});
