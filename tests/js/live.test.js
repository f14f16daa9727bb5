// Jobs of the live engine: a step at a time, left when a newer one comes, thinned where a cloud is too large.

import assert from "node:assert/strict";
import test from "node:test";

import { prepared, thinned, velocity } from "../../assets/js/live/cloud.js";
import { fieldOf, terms } from "../../assets/js/live/law.js";
import { probe } from "../../assets/js/live/probes.js";
import { walk, work } from "../../assets/js/live/walk.js";

test("a job tells every knot in order, whatever the slice, and the places do not depend on it", async () => {
  /** @type {Float32Array[][]} */
  const runs = [];
  for (const slice of [0, 1e9]) {
    /** @type {Float32Array[]} */
    const told = [];
    assert.notEqual(await walk(probe("cloud", 700), (k, x) => assert.equal(told.push(x), k + 1), () => false, slice), null);
    runs.push(told);
  }
  assert.equal(runs[0].length, 5);
  assert.deepEqual(runs[0], runs[1]);
  assert.notDeepEqual(runs[0][0], runs[0][4]);
});

test("a job that is stopped ends between two slices", async () => {
  let told = 0;
  assert.equal(await walk(probe("cloud", 2000), () => told++, () => true, 0), null);
  assert.equal(told, 0);
});

test("an estimate counts a stage's sums over all particles, and no stage without a weight", () => {
  const job = probe("mixture", 10), { tableau } = job;
  assert.equal(work(job), 8 * 10 * 4 * 2);
  assert.equal(work({ ...job, tableau: { a: [...tableau.a, [0.5, 0.5]], b: [...tableau.b, 0], c: [...tableau.c, 1] } }), work(job));
});

test("the same seed keeps the same points, none twice", () => {
  const points = Float32Array.from({ length: 2000 }, (_, i) => i), kept = thinned(points, 200, 3);
  assert.deepEqual(kept, thinned(points, 200, 3));
  assert.notDeepEqual(kept, thinned(points, 200, 4));
  assert.equal(new Set(kept).size, 400);
  assert.ok(kept.every((x, i) => (i % 2 ? x === kept[i - 1] + 1 : x % 2 === 0)));
  assert.equal(thinned(points, 1000, 3), points);
});

test("where only the nearest point is left, u is its own, and there is no density", () => {
  const zero = { re: 0, im: 0 }, c = { t: 0, a: { re: 1, im: 0 }, b: zero, gamma: 0, da: { re: -1, im: 0 }, db: { re: 1, im: 0 }, gammaDgamma: 0, steep: false, bDb: 0 };
  const u = new Float64Array(2), log = new Float64Array(1);
  /** @type {import("../../assets/js/live/mixture.js").Component[]} */
  const source = [{ weight: 0.25, mean: [4, 0], covariance: [1, 0, 0, 1] }, { weight: 0.75, mean: [0, 0], covariance: [1, 0, 0, 1] }];
  velocity(prepared(Float32Array.of(1, 2, -3, 4), source, c), Float64Array.of(-2, 3), u, log);
  assert.deepEqual([...u], [4, -4]);
  assert.ok(Number.isNaN(log[0]));
});

test("guidance 1 is the class's own field and costs as much, 0 that of all; neither knows a density beyond", () => {
  const law = /** @type {import("../../assets/js/live/law.js").MixtureLaw} */ (probe("mixture", 1).law), told = law.data.slice(0, 2);
  const at = (/** @type {import("../../assets/js/live/law.js").Law} */ one) => {
    const u = new Float64Array(2);
    fieldOf(one)(0.5)(Float64Array.of(1, 1), u);
    return [...u];
  };
  assert.deepEqual(at({ ...law, told }), at({ ...law, data: told }));
  assert.deepEqual(at({ ...law, told, guidance: 0 }), at(law));
  assert.deepEqual([terms({ ...law, told }), terms({ ...law, told, guidance: 0 }), terms({ ...law, told, guidance: 2 })], [2, 8, 10]);
  assert.throws(() => fieldOf({ ...law, told, guidance: 2 })(0.5)(new Float64Array(2), new Float64Array(2), new Float64Array(1)), /no density/);
});
