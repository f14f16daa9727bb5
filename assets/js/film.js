// The film strip. Its value is JSON: two sprites of all frames, the time of each, and the figures of each step.

/** @typedef {{ size: number[], x: string, x0: string, t: number[], speed: number[], turn: number[], bend: number[], frame?: number }} Film */

const MARKUP = `
    <div class="film-large">
      <figure><canvas role="img"></canvas><figcaption><b>x<sub>t</sub></b> <span data-of="x"></span></figcaption></figure>
      <figure><canvas role="img"></canvas><figcaption><b>x̂<sub>0</sub></b> <span>the image expected from here, x<sub>t</sub> − t u</span></figcaption></figure>
      <table class="fm-facts"><tbody></tbody></table>
    </div>
    <div class="film-bar"><button type="button" aria-label="Play or pause">▶</button>
      <input type="range" min="0" max="0" value="0" step="1" aria-label="Frame"></div>
    <div class="film-rows">
      <span>x<sub>t</sub></span><div class="strip"><img alt="x_t at every step"><i></i></div>
      <span>x̂<sub>0</sub></span><div class="strip"><img alt="expected image at every step"><i></i></div>
      <span>|u|</span><div class="chart"></div>
      <span>bend</span><div class="chart"></div>
    </div>`;

/** One bar a step, each as high as its share of the largest. @param {number[]} values @param {number} count of frames @param {string} role */
export function bars(values, count, role) {
  const top = Math.max(...values, 1e-9);
  const drawn = values.map((value, k) => `<rect x="${k + 0.12}" width="0.76" y="${1 - value / top}" height="${value / top}"/>`).join("");
  return `<svg viewBox="0 0 ${count} 1" preserveAspectRatio="none" style="fill:var(--fm-${role})">${drawn}</svg><small>${values.length ? "up to " + top.toPrecision(2) : ""}</small>`;
}

/** The figures of a frame, by name. @param {Film} film @param {number} frame */
export function facts({ t, speed, turn, bend }, frame) {
  const number = (/** @type {number[]} */ values, /** @type {number} */ digits, unit = "") => (frame < values.length ? values[frame].toFixed(digits) + unit : "–");
  return [
    ["t", t[frame].toFixed(3)], ["|u|, RMS of a pixel", number(speed, 3)],
    ["turn since the last step", number(turn, 1, "°")], ["bend |u − (x₁−x₀)|² / |x₁−x₀|²", number(bend, 3)],
  ];
}

class Strip {
  /** @type {Film | null} */
  film = null;
  frame = 0; loads = 0;
  /** @type {ReturnType<typeof setInterval> | undefined} */
  timer = undefined;

  /** @param {HTMLElement} box */
  constructor(box) {
    box.innerHTML = MARKUP;
    const all = (/** @type {string} */ selector) => /** @type {any[]} */ ([...box.querySelectorAll(selector)]);
    this.box = box;
    /** @type {HTMLCanvasElement[]} */
    this.canvases = all("canvas");
    /** @type {HTMLImageElement[]} */
    this.strips = all(".strip img");
    /** @type {HTMLElement[]} */
    this.marks = all(".strip i");
    /** @type {HTMLElement[]} */
    this.charts = all(".chart");
    /** @type {HTMLInputElement} */
    this.range = all("input")[0];
    /** @type {HTMLButtonElement} */
    this.button = all("button")[0];
    for (const image of this.strips) image.addEventListener("load", () => this.show());
    this.range.addEventListener("input", () => this.go(Number(this.range.value)));
    for (const place of all(".strip"))
      place.addEventListener("click", (/** @type {MouseEvent} */ event) => {
        const edges = place.getBoundingClientRect(), count = this.film?.t.length ?? 0;
        this.go(Math.min(count - 1, Math.floor(((event.clientX - edges.left) / edges.width) * count)));
      });
    this.button.addEventListener("click", () => (this.timer ? this.stop() : this.play()));
  }

  /** @param {number} frame */
  go(frame) {
    this.stop();
    if (!this.film) return;
    this.frame = frame;
    this.show();
  }

  stop() {
    clearInterval(this.timer);
    this.timer = undefined;
    this.button.textContent = "▶";
  }

  play() {
    if (!this.film) return;
    if (this.frame >= this.film.t.length - 1) this.frame = -1;
    this.button.textContent = "❚❚";
    this.timer = setInterval(() => {
      if (this.frame >= (this.film?.t.length ?? 0) - 1) return this.stop();
      this.frame += 1;
      this.show();
    }, Math.max(60, 2400 / this.film.t.length));
  }

  /** Show another film, or more of the same. @param {Film} film */
  take(film) {
    const atEnd = !this.film || this.frame >= this.film.t.length - 1, last = film.t.length - 1;
    this.film = film;
    [this.strips[0].src, this.strips[1].src] = [film.x, film.x0];
    this.range.max = String(last);
    this.box.style.setProperty("--frames", String(film.t.length));
    if (atEnd || this.frame > last) this.frame = last;
    if (film.frame !== undefined) this.frame = film.frame;
    this.charts[0].innerHTML = bars(film.speed, film.t.length, "noise");
    this.charts[1].innerHTML = bars(film.bend, film.t.length, "error");
    // What tests read of a film.
    Object.assign(this.box, { __film: { frames: film.t.length, loads: ++this.loads } });
    this.show();
  }

  show() {
    const { film, frame } = this;
    if (!film) return;
    const count = film.t.length, [height, width] = film.size;
    this.canvases.forEach((canvas, i) => {
      const image = this.strips[i];
      canvas.width = width;
      canvas.height = height;
      if (image.complete && image.naturalWidth) canvas.getContext("2d")?.drawImage(image, frame * width, 0, width, height, 0, 0, width, height);
    });
    for (const mark of this.marks) Object.assign(mark.style, { left: `${(100 * frame) / count}%`, width: `${100 / count}%` });
    const last = frame === count - 1 && film.t[frame] === 0, said = frame === 0 ? "noise" : last ? "the image" : `after ${frame} steps`;
    /** @type {HTMLElement} */ (this.box.querySelector("[data-of=x]")).textContent = said;
    const rows = facts(film, frame).map(([name, value]) => `<tr><td>${name}</td><td>${value}</td></tr>`);
    /** @type {HTMLElement} */ (this.box.querySelector("tbody")).innerHTML = rows.join("");
    this.range.value = String(frame);
  }
}

/** @param {HTMLElement} element @param {import("./studio.js").How} how */
export function mount(element, { props, watch }) {
  const strip = new Strip(/** @type {HTMLElement} */ (element.querySelector(".fm-film")));
  const take = () => props.value && strip.take(JSON.parse(props.value));
  watch("value", take);
  take();
  return () => strip.stop();
}
