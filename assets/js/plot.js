// A Plotly figure that updates in place. All figures of the page that have something new are drawn in one animation
// frame, so that what came together stands together, and for a third of the time at most: a page on a busy machine
// stays free to hear its buttons.

/** @typedef {{ react: (box: HTMLElement, data: unknown, layout: unknown, config: object) => Promise<void>, purge: (box: HTMLElement) => void }} Plotly */

/** @type {Set<() => Promise<void>>} */
const waiting = new Set();
let until = 0, called = false;

/** Draw with the next animation frame. @param {() => Promise<void>} draw */
function request(draw) {
  waiting.add(draw);
  if (called) return;
  called = true;
  inTurn();
}

function inTurn() {
  setTimeout(() => requestAnimationFrame(drawAll), Math.max(0, until - performance.now()));
}

async function drawAll() {
  if (performance.now() < until) return inTurn();
  const all = [...waiting], began = performance.now();
  waiting.clear();
  called = false;
  await Promise.allSettled(all.map((each) => each()));
  until = performance.now() + 2 * (performance.now() - began);
}

/** The library, if it is there. @returns {Plotly | undefined} */
const plotly = () => Reflect.get(window, "Plotly");

/** @type {Promise<unknown> | null} */
let loading = null;

/** The library, fetched once. @param {string} address @returns {Promise<Plotly>} */
async function library(address) {
  loading ??= new Promise((resolve, reject) => {
    const tag = document.createElement("script");
    tag.src = (Reflect.get(window, "gradio_config")?.root || "") + address;
    tag.onload = resolve;
    tag.onerror = () => reject(new Error("plotly.min.js could not be loaded"));
    document.head.append(tag);
  });
  await loading;
  return /** @type {Plotly} */ (plotly());
}

/**
 * A figure with the theme's colours: its strings "var(--fm-…)" are looked up.
 * @param {any} figure @param {(name: string) => string} colour
 * @returns {any}
 */
export function themed(figure, colour) {
  if (typeof figure === "string") return figure.replace(/^var\((--fm-[a-z]+)\)$/, (_, name) => colour(name));
  if (Array.isArray(figure)) return figure.map((part) => themed(part, colour));
  if (figure === null || typeof figure !== "object") return figure;
  return Object.fromEntries(Object.entries(figure).map(([key, part]) => [key, themed(part, colour)]));
}

/** @param {HTMLElement} element @param {import("./studio.js").How} how `given`: the library's address */
export function mount(element, { props, watch, given }) {
  const box = /** @type {HTMLElement} */ (element.querySelector(".fm-plot")), reserved = box.style.minHeight;
  const css = (/** @type {string} */ name) => getComputedStyle(document.body).getPropertyValue(name).trim();
  /** @type {any} */
  let pending = null;
  const draw = async () => {
    if (!pending || !box.isConnected) return;
    const { react } = await library(given);
    if (!pending || !box.offsetWidth) return;
    const { data, layout } = themed(pending, css);
    await react(box, data, layout, { displayModeBar: false, responsive: true });
    box.dataset.drawn = String(Number(box.dataset.drawn || 0) + 1);
  };
  const take = () => {
    if (props.value) {
      box.hidden = false;
      pending = typeof props.value === "string" ? JSON.parse(props.value) : props.value;
      box.style.minHeight = `${pending.layout.height || 300}px`;
      return request(draw);
    }
    // Nothing to show any more: back to the room that was kept, if any.
    if (pending) plotly()?.purge(box);
    pending = null;
    box.style.minHeight = reserved;
    box.hidden = parseInt(reserved) === 0;
  };
  watch("value", take);
  take();
  const sizes = new ResizeObserver(() => request(draw)), theme = new MutationObserver(() => request(draw));
  sizes.observe(box);
  theme.observe(document.body, { attributes: true, attributeFilter: ["class"] });
  return () => {
    sizes.disconnect();
    theme.disconnect();
    plotly()?.purge(box);
  };
}
