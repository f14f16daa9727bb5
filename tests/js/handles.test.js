// The handles of a mixture's components: what a pointer meets, and what dragging and keys make of a component.

import assert from "node:assert/strict";
import test from "node:test";

import { ellipse, grab, hit, shaped, step, tips } from "../../assets/js/live/handles.js";
import { added, described, lawOf, shares, weighted, without } from "../../assets/js/live/weights.js";

/** @typedef {import("../../assets/js/live/handles.js").View} View */

/** A view of −3.5 … 3.5 both ways in 350 pixels. @type {View} */
const view = { w: 350, h: 350, css: ([x, y]) => [175 + 50 * x, 175 - 50 * y], plane: (px, py) => [(px - 175) / 50, (175 - py) / 50] };
/** The same plane turned by 90° and at another scale: x points down. @type {View} */
const turned = { w: 700, h: 700, css: ([x, y]) => [350 + 100 * y, 350 + 100 * x], plane: (px, py) => [(py - 350) / 100, (px - 350) / 100] };
const round = [0.5, 0, 0, 0.16, 0, 0.16], long = [0.5, -1, 1, 1, 0, 0.04];

/** @param {number[]} got @param {number[]} wanted */
const near = (got, wanted, tolerance = 1e-9) => {
  assert.equal(got.length, wanted.length);
  got.forEach((c, k) => assert.ok(Math.abs(c - wanted[k]) <= tolerance, `${got} for ${wanted}`));
};
/** Numbers from 0 to 1, the same every time. @param {number} seed */
const random = (seed) => () => (seed = (seed * 16807) % 2147483647) / 2147483647;

test("an ellipse has the roots of the covariance's eigenvalues, the first axis within 45° of the horizontal", () => {
  // Eigenvalues of [[2, 1], [1, 2]] are 3 and 1, the first along the diagonal.
  const { widths, angle } = ellipse([1, 0, 0, 2, 1, 2]);
  near([...widths, angle], [Math.sqrt(3), 1, Math.PI / 4]);
  near(ellipse([1, 0, 0, 0.04, 0, 1]).widths, [0.2, 1]);
  const next = random(7);
  for (let k = 0; k < 200; k++) {
    const wanted = [0.05 + 1.9 * next(), 0.05 + 1.9 * next()], turn = 8 * next() - 4, component = shaped([1, 0, 0], wanted, turn), axes = ellipse(component);
    assert.ok(Math.abs(axes.angle) <= Math.PI / 4 + 1e-9);
    near(axes.widths.toSorted(), wanted.toSorted(), 1e-6);
    near(shaped(component, axes.widths, axes.angle), component, 1e-9);
  }
});

test("whatever is dragged, the covariance stays positive definite and the centre in the picture", () => {
  const next = random(11);
  let component = long;
  for (let k = 0; k < 2000; k++) {
    const pixel = () => [500 * next() - 75, 500 * next() - 75];
    const handle = /** @type {const} */ (["centre", "first", "second"])[k % 3];
    component = grab(component, handle, view, pixel())(k % 7 ? pixel() : view.css(component.slice(1, 3)));
    const [, x, y, sxx, sxy, syy] = component;
    const { widths: [p, q] } = ellipse(component);
    assert.ok(Math.min(p, q) > 0.0499 && Math.max(p, q) < 2.001, String(component));
    assert.ok(sxx * syy - sxy * sxy > 0 && Math.max(Math.abs(x), Math.abs(y)) <= 3.5, String(component));
  }
});

for (const [name, seen] of Object.entries({ view, turned }))
  test(`a handle follows the pointer and does not jump: ${name}`, () => {
    for (const component of [round, long]) {
      const [tip] = tips(component, seen), there = seen.css([component[1], component[2]]);
      // Taken a little beside: nothing moves until the pointer does.
      near(grab(component, "first", seen, [tip[0] + 3, tip[1] - 2])([tip[0] + 3, tip[1] - 2]), component);
      near(grab(component, "centre", seen, there)(seen.css([1.2, -0.7])).slice(1, 3), [1.2, -0.7]);
      // The tip pulled to a place: the axis points there, and the other keeps its width.
      const aim = seen.css([component[1] + 0.8, component[2] + 0.6]), pulled = grab(component, "first", seen, tip)(aim), after = ellipse(pulled);
      near([after.angle], [Math.atan2(0.6, 0.8)]);
      near([after.widths[1]], [ellipse(component).widths[1]]);
      near(tips(pulled, seen)[0], aim);
    }
  });

test("a pointer meets the chosen one's tips first, then centres, then bodies", () => {
  const both = [round, long], [first, second] = tips(round, view);
  assert.deepEqual(hit(both, 0, view, first), { part: 0, handle: "first" });
  assert.deepEqual(hit(both, 0, view, second), { part: 0, handle: "second" });
  assert.deepEqual(hit(both, 1, view, second), { part: 1, handle: "centre" });
  assert.equal(hit([round], -1, view, second), null);
  assert.deepEqual(hit(both, -1, view, view.css([-1.1, 1])), { part: 1, handle: "centre" });
  // 1.8 standard deviations along the long axis; across it the same way is outside.
  assert.deepEqual(hit(both, 0, view, view.css([-2.8, 1])), { part: 1, handle: "centre" });
  assert.equal(hit(both, 0, view, view.css([-1, 2.8])), null);
  assert.deepEqual([0, 1].map((k) => hit([round, round], k, view, [175, 175])?.part), [0, 1]);
  assert.equal(hit([], -1, view, [0, 0]), null);
});

test("tips are inside the picture and 24 pixels from each other and the centre, even of a narrow one in the middle", () => {
  const narrow = shaped(round, [0, 0], 0.3), places = [...tips(narrow, view), view.css([0, 0])];
  for (const [k, a] of places.entries()) for (const b of places.slice(k + 1)) assert.ok(Math.hypot(a[0] - b[0], a[1] - b[1]) >= 24);
  for (const x of [-3.4, 3.4]) for (const y of [-3.4, 3.4]) for (const [px, py] of tips([1, x, y, 4, 0, 4], view)) {
    assert.ok(Math.min(px, py) >= 12 && Math.max(px, py) <= 338);
  }
});

test("keys move, widen, turn; with Shift in finer steps; other keys are not taken", () => {
  near(step(round, "ArrowLeft", false, view) ?? [], [0.5, -0.1, 0, 0.16, 0, 0.16]);
  near(step(round, "ArrowUp", true, view) ?? [], [0.5, 0, 0.02, 0.16, 0, 0.16]);
  near(step(round, "d", false, view) ?? [], [0.5, 0, 0, 0.16 * 1.21, 0, 0.16]);
  near(step(round, "S", true, view) ?? [], [0.5, 0, 0, 0.16, 0, 0.16 / 1.02 ** 2]);
  near([ellipse(step(long, "q", false, view) ?? []).angle], [Math.PI / 36]);
  near([ellipse(step(long, "e", false, view) ?? []).angle], [-Math.PI / 36]);
  near(step([0.5, 3.26, 0, 1, 0, 1], "ArrowRight", false, view) ?? [], [0.5, 3.26, 0, 1, 0, 1]);
  assert.deepEqual(["Tab", "x", "Enter"].map((key) => step(round, key, false, view)), [null, null, null]);
});

test("weights have sum 1, and none is lost in four decimals", () => {
  const three = [[2, 0, 0, 1, 0, 1], [1, 1, 0, 1, 0, 1], [1, 2, 0, 1, 0, 1]];
  near(shares(three), [0.5, 0.25, 0.25]);
  near(shares(weighted(three, 0, 0.8)), [0.8, 0.1, 0.1]);
  let many = three;
  for (let k = 0; k < 12; k++) many = weighted(many, k % 3, 5);
  assert.ok(many.every(([weight]) => weight >= 0.001));
  near([many.reduce((sum, [weight]) => sum + weight, 0)], [1]);
  assert.deepEqual(weighted([round], 0, 0.3), [[1, ...round.slice(1)]]);
});

test("one more has an equal share and stands where there is room; one less is gone", () => {
  const more = added([round, long]);
  near(shares(more), [1 / 3, 1 / 3, 1 / 3]);
  assert.ok([round, long].every(([, x, y]) => Math.hypot(more[2][1] - x, more[2][2] - y) > 2));
  assert.deepEqual(without(more, 1), [more[0], more[2]]);
  assert.deepEqual(lawOf([[1, 2, 3, 4, 5, 6], [3, 0, 0, 1, 0, 1]])[0], { weight: 0.25, mean: [2, 3], covariance: [4, 5, 5, 6] });
  assert.equal(described([round, long], 1), "Component 2 of 2 at −1.00, 1.00; widths 1.00, 0.20; angle 0°; weight 50 %");
});
