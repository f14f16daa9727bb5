// Where everything lies, and how large and strong it is drawn: the plan that both renderers follow.

Object.assign(Player.prototype, {
  /** Where everything lies: pane boxes in CSS and device pixels, and the maps from the plane into them. */
  layout() {
    const width = this.stage.clientWidth;
    if (!width) return;
    const narrow = this.root.clientWidth < 520, number = this.boxes.length, full = document.fullscreenElement === this.root;
    this.root.classList.toggle("fm-narrow", narrow);
    this.root.classList.toggle("fm-tight", this.root.clientWidth < 780);
    const columns = narrow ? 1 : Math.max(2, number), gap = 12, each = (width - gap * (columns - 1)) / columns - 26;
    let height = narrow ? Math.min(0.92 * (width - 22), 420) : clamp(number === 3 ? each * 1.12 : each, 220, this.options.height || 460);
    const room = () => (innerHeight - this.root.querySelector(".fm-bar").offsetHeight - this.root.querySelector(".fm-chips").offsetHeight - this.strip.card.offsetHeight - 90) / (narrow ? number : 1) - 56;
    // On a low screen the particles need the room that the curves would take.
    this.root.classList.remove("fm-low");
    if (full && room() < 0.5 * innerHeight) this.root.classList.add("fm-low");
    if (full) height = Math.max(120, room());
    this.stage.style.setProperty("--view", `${Math.round(height)}px`);
    // A picture or film is drawn finer than the page needs.
    this.dpr = Math.max(this.sharp || 0, Math.min(devicePixelRatio || 1, this.renderer.name === "webgl2" ? 2 : 1.5));
    const outer = this.stage.getBoundingClientRect();
    this.size = [Math.round(this.stage.clientWidth * this.dpr), Math.round(this.stage.clientHeight * this.dpr)];
    this.frames = this.boxes.map((box) => {
      const r = box.getBoundingClientRect();
      return { x: r.left - outer.left, y: r.top - outer.top, w: r.width, h: r.height };
    });
    if (this.base.width !== this.size[0] || this.base.height !== this.size[1]) this.renderer.resize(...this.size);
    // A canvas that is set back and then only cleared counts as not drawn on: a browser may go on showing what
    // was on it before, such as the axes of the last scene.
    if (this.over.width !== this.size[0] || this.over.height !== this.size[1]) {
      this.over.width = this.size[0];
      this.over.height = this.size[1];
    }
    this.mapViews();
    this.wake();
  },

  mapViews() {
    if (!this.scene || !this.frames) return;
    const { bounds, box } = this.scene, dpr = this.dpr, [left, right, bottom, top] = bounds, c = this.coordinate;
    this.views = this.frames.map(({ x, y, w, h }) => {
      const scale = Math.min(w / (right - left), h / (top - bottom));
      let ox = 0, oy, sx = 1, sy, fade = [0.02, 0.02];
      const plot = { left: 34, right: w - 14, top: 12, bottom: h - 24 }, span = this.first - this.end;
      const cssTimeX = (t) => plot.left + ((this.first - t) / span) * (plot.right - plot.left);
      let norm, uv;
      if (this.time) {
        const low = bounds[2 * c], high = bounds[2 * c + 1];
        sy = -(plot.bottom - plot.top) / (high - low);
        oy = plot.bottom - sy * low;
        norm = [0, oy + sy * box[c], 1, sy * box[2 + c]];
        const inner = (plot.right - plot.left) * dpr;
        uv = [(-plot.left * dpr) / inner, (-oy / sy - low) / (high - low), 1 / inner, 1 / (sy * (high - low) * dpr)];
      } else {
        [sx, sy] = [scale, -scale];
        ox = w / 2 - (sx * (left + right)) / 2;
        oy = h / 2 - (sy * (bottom + top)) / 2;
        norm = [ox + sx * box[0], oy + sy * box[1], sx * box[2], sy * box[3]];
        // The field ends where the plane was measured; the more room a pane has beyond, the softer.
        fade = [w / (scale * (right - left)), h / (scale * (top - bottom))].map((room) => clamp((room - 1) / 2, 0.02, 0.15));
        uv = [(-ox / sx - left) / (right - left), (-oy / sy - bottom) / (top - bottom), 1 / (sx * (right - left) * dpr), 1 / (sy * (top - bottom) * dpr)];
      }
      const rect = [Math.round(x * dpr), Math.round(y * dpr), Math.round(w * dpr), Math.round(h * dpr)];
      return {
        x, y, w, h, plot, rect, uv, fade, scale, cssTimeX, cssNorm: norm,
        norm: norm.map((v) => v * dpr),
        timeX: (t) => cssTimeX(t) * dpr,
        cssY: (point) => oy + sy * point[this.time ? c : 1],
        css: (point, t) => (this.time ? [cssTimeX(t), oy + sy * point[c]] : [ox + sx * point[0], oy + sy * point[1]]),
        // The plane's point under a pixel of the pane, and the time there.
        plane: (px, py) => (this.time ? [c ? 0 : (py - oy) / sy, c ? (py - oy) / sy : 0] : [(px - ox) / sx, (py - oy) / sy]),
        timeAt: (px) => clamp(this.first - (span * (px - plot.left)) / (plot.right - plot.left), this.end, this.first),
      };
    });
  },

  plan() {
    const scene = this.scene, at = locate(scene, this.t), dense = Math.sqrt(2000 / Math.max(600, scene.count));
    const trail = Math.max(0.8, this.trailShare * scene.last), pieces = this.time ? scene.last : Math.ceil(trail) + 1, crowd = clamp(dense, 0.25, 1);
    return {
      at, t: this.t, time: this.time, coordinate: this.coordinate, layers: this.layers, theme: this.theme, panes: this.views, trail,
      trailCount: this.time ? Math.min(300, scene.count) : Math.floor(this.renderer.budget / pieces),
      pointSize: this.dpr * clamp(3.3 * dense ** 0.45, 1.5, 3.8),
      pointAlpha: clamp(0.92 * dense ** 0.3, 0.4, 0.92),
      trailAlpha: (this.theme.dark ? 0.5 : 0.42) * crowd,
      trailWidth: Math.max(1, 0.9 * this.dpr),
      lineWidth: Math.max(1, 0.8 * this.dpr),
      lineAlpha: clamp(14 / Math.sqrt(Math.max(1, ...scene.panes.map((p) => (p.lines ? p.lines.shape[0] : 1)))), 0.12, 0.6) * (this.theme.dark ? 0.55 : 0.5),
      pastAlpha: this.theme.dark ? 0.62 : 0.55, aheadAlpha: this.theme.dark ? 0.2 : 0.16,
      round: 10 * this.dpr,
    };
  },
});
