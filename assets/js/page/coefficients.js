// The drawing of a_t and b_t follows the player's clock.

/** A value between the rows of a table over t in [0, 1]. @param {number[]} values @param {number} t */
export function valueAt(values, t) {
  const last = values.length - 1, at = Math.min(last, Math.max(0, t * last)), low = Math.floor(at), high = Math.min(last, low + 1);
  return values[low] + (values[high] - values[low]) * (at - low);
}

/** Put the dots, the line and the numbers where t is. @param {SVGElement} drawing @param {number} t */
function place(drawing, t) {
  const { left, width, bottom, low, high, height } = Object.fromEntries(Object.entries(drawing.dataset).map(([name, value]) => [name, Number(value)]));
  /** @type {Record<string, number[]>} */
  const rows = JSON.parse(drawing.dataset.rows ?? "{}");
  const x = String(left + (1 - t) * width);
  for (const name of ["a", "b"]) {
    const dot = drawing.querySelector(`.dot-${name}`), value = valueAt(rows[name], t);
    dot?.setAttribute("cx", x);
    dot?.setAttribute("cy", String(bottom - ((value - low) / (high - low)) * height));
    const out = document.querySelector(`.fm-coefficients .value-${name}`);
    if (out) out.textContent = value.toFixed(2);
  }
  const line = drawing.querySelector(".clock");
  line?.setAttribute("x1", x);
  line?.setAttribute("x2", x);
}

export function followClock() {
  let t = 1;
  /** @type {SVGElement | null} */
  let drawn = null;
  /** @type {string | undefined} */
  let curves;
  const find = () => /** @type {SVGElement | null} */ (document.querySelector(".fm-coefficients svg"));
  const follow = () => {
    drawn = find();
    curves = drawn?.dataset.rows;
    if (drawn) place(drawn, t);
  };
  window.addEventListener("fm-clock", (event) => {
    t = /** @type {CustomEvent<{ t: number }>} */ (event).detail.t;
    follow();
  });
  // A new drawing, or new curves in the old one, come without the clock, which may be paused.
  new MutationObserver(() => {
    const drawing = find();
    if (drawing !== drawn || drawing?.dataset.rows !== curves) follow();
  }).observe(document.body, { childList: true, subtree: true, attributes: true, attributeFilter: ["data-rows"] });
}
