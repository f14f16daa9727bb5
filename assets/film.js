/* The film strip. Its value is JSON: two sprites of all frames, the time of each, and the figures of each step. */
window.fmFilm = (element, props, watch) => {
  const box = element.querySelector(".fm-film");
  box.innerHTML = `
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
  const [large, largeHat] = box.querySelectorAll("canvas");
  const [strip, stripHat] = box.querySelectorAll(".strip img");
  const marks = box.querySelectorAll(".strip i"), charts = box.querySelectorAll(".chart");
  const range = box.querySelector("input"), play = box.querySelector("button"), facts = box.querySelector("tbody");
  let film = null, frame = 0, timer = 0, loads = 0;

  const cell = (canvas, image) => {
    const [height, width] = film.size;
    canvas.width = width; canvas.height = height;
    if (image.complete && image.naturalWidth) canvas.getContext("2d").drawImage(image, frame * width, 0, width, height, 0, 0, width, height);
  };
  const number = (values, digits, unit = "") => frame < values.length ? values[frame].toFixed(digits) + unit : "–";
  const show = () => {
    if (!film) return;
    cell(large, strip); cell(largeHat, stripHat);
    const count = film.t.length;
    for (const mark of marks) { mark.style.left = `${100 * frame / count}%`; mark.style.width = `${100 / count}%`; }
    box.querySelector("[data-of=x]").textContent = frame === 0 ? "noise" : frame === count - 1 && film.t[frame] === 0 ? "the image" : `after ${frame} steps`;
    const rows = [["t", film.t[frame].toFixed(3)], ["|u|, RMS of a pixel", number(film.speed, 3)],
      ["turn since the last step", number(film.turn, 1, "°")], ["bend |u − (x₁−x₀)|² / |x₁−x₀|²", number(film.bend, 3)]];
    facts.innerHTML = rows.map(([name, value]) => `<tr><td>${name}</td><td>${value}</td></tr>`).join("");
    range.value = frame;
  };
  const chart = (place, values, role) => {
    const count = film.t.length, top = Math.max(...values, 1e-9);
    const bars = values.map((value, k) => `<rect x="${k + 0.12}" width="0.76" y="${1 - value / top}" height="${value / top}"/>`).join("");
    place.innerHTML = `<svg viewBox="0 0 ${count} 1" preserveAspectRatio="none" style="fill:var(--fm-${role})">${bars}</svg><small>${values.length ? "up to " + top.toPrecision(2) : ""}</small>`;
  };
  const stop = () => { clearInterval(timer); timer = 0; play.textContent = "▶"; };
  const take = () => {
    if (!props.value) return;
    const atEnd = !film || frame >= film.t.length - 1;
    film = JSON.parse(props.value);
    strip.src = film.x; stripHat.src = film.x0;
    range.max = film.t.length - 1;
    box.style.setProperty("--frames", film.t.length);
    if (atEnd || frame > film.t.length - 1) frame = film.t.length - 1;
    if (film.frame !== undefined) frame = film.frame;
    chart(charts[0], film.speed, "noise"); chart(charts[1], film.bend, "error");
    box.__film = { frames: film.t.length, loads: ++loads };
    show();
  };
  for (const image of [strip, stripHat]) image.addEventListener("load", show);
  range.addEventListener("input", () => { stop(); frame = Number(range.value); show(); });
  for (const place of box.querySelectorAll(".strip")) place.addEventListener("click", (event) => {
    if (!film) return;
    const edges = place.getBoundingClientRect();
    stop();
    frame = Math.min(film.t.length - 1, Math.floor((event.clientX - edges.left) / edges.width * film.t.length));
    show();
  });
  play.addEventListener("click", () => {
    if (timer) { stop(); return; }
    if (!film) return;
    if (frame >= film.t.length - 1) frame = -1;
    play.textContent = "❚❚";
    timer = setInterval(() => {
      if (!element.isConnected || frame >= film.t.length - 1) { stop(); return; }
      frame += 1; show();
    }, Math.max(60, 2400 / film.t.length));
  });
  watch("value", take);
  take();
};
