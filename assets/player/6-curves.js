// The strip under the panes: curves on the player's clock, from noise at the left to data at the right.

class Strip {
  constructor(card, player) {
    this.card = card;
    this.player = player;
    this.title = card.querySelector(".fm-strip-title");
    this.caption = card.querySelector(".fm-strip-caption");
    this.legend = card.querySelector(".fm-legend");
    this.canvas = card.querySelector("canvas");
    this.hover = null;
    const at = (event) => {
      const box = this.canvas.getBoundingClientRect(), share = clamp((event.clientX - box.left - this.left) / (box.width - this.left - 6), 0, 1);
      return player.first + (player.end - player.first) * share;
    };
    let held = false;
    this.canvas.addEventListener("pointerdown", (event) => {
      held = true;
      this.canvas.setPointerCapture(event.pointerId);
      player.seek(at(event));
    });
    this.canvas.addEventListener("pointermove", (event) => {
      this.hover = at(event);
      if (held) player.seek(this.hover);
      player.wake();
    });
    this.canvas.addEventListener("pointerup", () => (held = false));
    this.canvas.addEventListener("pointercancel", () => (held = false));
    this.canvas.addEventListener("pointerleave", () => {
      this.hover = null;
      player.wake();
    });
    this.left = 40;
  }

  load(scene) {
    const curves = scene.curves;
    this.card.classList.toggle("fm-without", !curves);
    this.curves = curves;
    typeset(this.title, curves ? curves.label : "");
    typeset(this.caption, curves ? curves.caption : "");
    this.legend.replaceChildren();
    this.canvas.width = this.canvas.width;
    if (!curves) return;
    this.readouts = curves.series.map((series) => {
      const item = document.createElement("span"), value = document.createElement("b");
      item.className = "fm-key";
      item.style.setProperty("--key", `var(--fm-${series.role})`);
      const name = document.createElement("span");
      typeset(name, series.name);
      item.append(name, value);
      this.legend.append(item);
      return value;
    });
    if (curves.band) {
      const item = document.createElement("span");
      item.className = "fm-key fm-key-band";
      item.append(curves.bandName);
      this.legend.append(item);
    }
    const all = [...curves.series.flatMap((s) => s.values), ...(curves.band ? curves.band.flat() : [])].filter((v) => v !== null);
    let low = Math.min(...all), high = Math.max(...all);
    if (!all.length) [low, high] = [0, 1];
    // Curves that reach down to within a third of their height of zero are shown from zero.
    if (low > 0 && low < 0.34 * high) low = 0;
    const room = (high - low || Math.abs(high) || 1) * 0.06;
    this.range = [low === 0 ? 0 : low - room, high + room];
    this.marks = [3, 5, 8].map((count) => ticks(...this.range, count)).find((marks) => marks.values.length > 1) || ticks(...this.range, 8);
  }

  draw(dpr, theme, t, scene) {
    if (!this.curves) return;
    const box = this.canvas, w = box.clientWidth, h = box.clientHeight;
    if (!w || !h) return;
    if (box.width !== Math.round(w * dpr) || box.height !== Math.round(h * dpr)) {
      box.width = Math.round(w * dpr);
      box.height = Math.round(h * dpr);
    }
    const c = box.getContext("2d");
    c.setTransform(dpr, 0, 0, dpr, 0, 0);
    c.clearRect(0, 0, w, h);
    c.font = "11px ui-sans-serif, system-ui, sans-serif";
    const texts = this.marks.values.map((v) => fixed(v, this.marks.digits));
    this.left = Math.ceil(Math.max(...texts.map((text) => c.measureText(text).width), 8)) + 12;
    const [low, high] = this.range, first = scene.times[0], last = scene.times[scene.last];
    const px = (time) => this.left + ((first - time) / (first - last)) * (w - this.left - 6);
    const py = (value) => 6 + ((high - value) / (high - low)) * (h - 24);
    c.textBaseline = "middle";
    c.textAlign = "right";
    c.lineWidth = 1;
    this.marks.values.forEach((value, i) => {
      const y = Math.round(py(value)) + 0.5;
      c.strokeStyle = css(theme["ink-faint"], 0.2);
      c.beginPath();
      c.moveTo(this.left, y);
      c.lineTo(w - 6, y);
      c.stroke();
      c.fillStyle = css(theme["ink-soft"]);
      c.fillText(texts[i], this.left - 7, y);
    });
    c.textBaseline = "alphabetic";
    c.textAlign = "left";
    c.fillStyle = css(theme.noise);
    c.fillText("noise", this.left, h - 3);
    c.textAlign = "right";
    c.fillStyle = css(theme.data);
    c.fillText("data", w - 6, h - 3);
    if (this.curves.band) {
      const [lower, upper] = this.curves.band;
      c.fillStyle = css(theme.ink, theme.dark ? 0.13 : 0.09);
      c.beginPath();
      scene.times.forEach((time, k) => c.lineTo(px(time), py(upper[k] ?? low)));
      for (let k = scene.last; k >= 0; k--) c.lineTo(px(scene.times[k]), py(lower[k] ?? low));
      c.fill();
    }
    c.lineJoin = "round";
    for (const series of this.curves.series) {
      c.strokeStyle = css(theme[series.role]);
      c.lineWidth = 2;
      c.beginPath();
      let pen = false;
      series.values.forEach((value, k) => {
        if (value === null) pen = false;
        else if (pen) c.lineTo(px(scene.times[k]), py(value));
        else {
          c.moveTo(px(scene.times[k]), py(value));
          pen = true;
        }
      });
      c.stroke();
    }
    const shown = this.hover ?? t;
    const cursor = (time, alpha) => {
      const x = Math.round(px(time)) + 0.5;
      c.setLineDash([3, 3]);
      c.lineWidth = 1;
      c.strokeStyle = css(theme.ink, alpha);
      c.beginPath();
      c.moveTo(x, 2);
      c.lineTo(x, h - 16);
      c.stroke();
      c.setLineDash([]);
    };
    cursor(t, 0.75);
    if (this.hover !== null) cursor(this.hover, 0.3);
    const at = locate(scene, shown);
    this.curves.series.forEach((series, i) => {
      const a = series.values[at.frame], b = series.values[at.frame + 1], value = a === null || b === null ? null : a + (b - a) * at.mix;
      // Three figures of the largest value, the same number of decimals for all.
      const decimals = clamp(2 - Math.floor(Math.log10(Math.max(Math.abs(low), Math.abs(high), 1e-9))), 0, 9);
      const text = value === null ? "–" : decimals < 7 ? fixed(value, decimals) : MINUS(value.toExponential(2));
      if (this.readouts[i].textContent !== text) this.readouts[i].textContent = text;
      if (value === null) return;
      c.beginPath();
      c.arc(px(shown), py(value), 3.6, 0, 7);
      c.fillStyle = css(theme[series.role]);
      c.strokeStyle = css(theme.card);
      c.lineWidth = 1.5;
      c.fill();
      c.stroke();
    });
  }
}
