// The player: state, clock, pointer and keys. It draws only in requestAnimationFrame.

const SWEEP = 4000, HOLD = 1000;

class Player {
  /**
   * @param root element that becomes the player
   * @param options {layers, colour, panes, height, curves, backend, onProbe}
   */
  constructor(root, options = {}) {
    if (!document.querySelector("style[data-fm-player]")) {
      const style = document.createElement("style");
      style.dataset.fmPlayer = "";
      style.textContent = STYLE;
      document.head.append(style);
    }
    this.root = root;
    this.options = options;
    root.classList.add("fm-player");
    root.innerHTML = playerMarkup();
    const one = (selector) => root.querySelector(selector);
    this.stage = one(".fm-stage");
    this.base = one(".fm-base");
    this.over = one(".fm-over");
    this.slider = one(".fm-slider");
    this.clock = one(".fm-clock");
    this.badge = one(".fm-badge");
    this.hint = one(".fm-hint");
    this.say = one(".fm-say");
    this.layers = Object.fromEntries(LAYERS.map(([key]) => [key, (options.layers || ["particles", "trails", "field"]).includes(key)]));
    this.colourMode = options.colour || "end";
    this.speed = 1;
    this.loop = true;
    this.trailShare = 0.16;
    this.time = false;
    this.coordinate = 0;
    this.t = 1;
    this.first = 1;
    this.end = 0;
    this.playing = !matchMedia("(prefers-reduced-motion: reduce)").matches;
    this.held = 0;
    this.count = 0;
    this.loads = 0;
    this.frame = 0;
    this.views = [];
    this.pointer = null;
    this.probed = null;
    this.answer = null;
    this.strip = new Strip(one(".fm-strip"), this);
    if (options.curves) this.strip.card.classList.add("fm-reserve");
    this.makePanes(clamp(options.panes || 2, 1, 3));
    this.makeRenderer(options.backend);
    this.theme = readTheme(root);
    this.listen();
    this.layout();
    this.reflect();
    const player = this;
    this.probe = {
      get frame() { return player.frame; },
      get count() { return player.count; },
      get loads() { return player.loads; },
      get backend() { return player.renderer.name; },
      get t() { return player.t; },
      get playing() { return player.playing; },
      get particles() { return player.scene ? player.scene.count : 0; },
      get view() { return player.time ? "space-time" : "space"; },
      get answered() { return player.answer; },
      get disposed() { return Boolean(player.gone); },
      player,
    };
    root.__player = this.probe;
  }

  makeRenderer(wanted) {
    this.renderer = null;
    if (wanted !== "canvas2d") {
      try {
        this.renderer = new GlRenderer(this.base, wanted === "webgl2");
        this.base.addEventListener("webglcontextlost", (event) => {
          event.preventDefault();
          if (!this.gone) this.fallBack();
        });
      } catch (error) {
        this.why = error.message;
        this.freshBase();
      }
    }
    if (!this.renderer) this.renderer = new SoftRenderer(this.base);
    this.badge.hidden = this.renderer.name === "webgl2";
    this.badge.textContent = "Canvas 2D";
    this.badge.title = `Drawn without WebGL. ${this.why || ""}`;
  }

  // A canvas that has given one kind of context never gives another.
  freshBase() {
    const canvas = this.base.cloneNode(false);
    this.base.replaceWith(canvas);
    this.base = canvas;
  }

  fallBack() {
    this.why = "The WebGL context was lost.";
    this.freshBase();
    this.makeRenderer("canvas2d");
    if (this.scene) this.renderer.load(this.scene);
    this.layout();
    this.recolour();
  }

  makePanes(number) {
    const have = this.stage.querySelectorAll(".fm-pane");
    if (have.length === number) return;
    have.forEach((pane) => pane.remove());
    this.stage.style.setProperty("--panes", number);
    this.base.insertAdjacentHTML("beforebegin", Array.from({ length: number }, (_, i) => paneMarkup(i)).join(""));
    this.boxes = [...this.stage.querySelectorAll(".fm-view")];
  }

  /** Fetch a scene and swap it in when it is there; until then the old one goes on playing. */
  async fetch(url) {
    const ticket = (this.ticket = (this.ticket || 0) + 1);
    try {
      const reply = await fetch(url);
      if (!reply.ok) throw new Error(`The scene could not be fetched (${reply.status}).`);
      const buffer = await reply.arrayBuffer();
      if (ticket === this.ticket && !this.gone) this.load(buffer);
    } catch (error) {
      if (ticket === this.ticket) this.tell(error.message);
    }
  }

  load(buffer) {
    const scene = readScene(buffer), first = this.scene === undefined, was = this.scene;
    this.scene = scene;
    this.first = scene.times[0];
    this.end = scene.times[scene.last];
    this.t = first ? this.first : clamp(this.t, this.end, this.first);
    this.probed = this.answer = null;
    this.picked = -1;
    this.tell("");
    this.makePanes(scene.panes.length);
    scene.panes.forEach((pane, i) => {
      const section = this.boxes[i].parentElement;
      typeset(section.querySelector("h3"), pane.title);
      typeset(section.querySelector("p"), pane.caption);
      this.boxes[i].setAttribute("aria-label", `${pane.title}: ${scene.count} particles. Press Enter to choose a point.`);
    });
    if (first || was.dim !== scene.dim) this.time = scene.dim === 1;
    if (scene.dim === 1) this.coordinate = 0;
    if (!scene.labels && this.colourMode === "class") this.colourMode = "end";
    this.renderer.load(scene);
    this.strip.load(scene);
    this.loads++;
    this.reflect();
    this.layout();
    this.recolour();
    this.slider.min = 0;
    this.slider.max = this.first - this.end;
  }

  recolour() {
    if (!this.scene) return;
    this.renderer.colour(this.scene.panes.map((pane) => colourise(this.scene, pane, this.colourMode, this.theme)));
    this.wake();
  }

  /** Where everything lies: pane boxes in CSS and device pixels, and the maps from the plane into them. */
  layout() {
    const width = this.stage.clientWidth;
    if (!width) return;
    const narrow = this.root.clientWidth < 640, number = this.boxes.length, full = document.fullscreenElement === this.root;
    this.root.classList.toggle("fm-narrow", narrow);
    this.root.classList.toggle("fm-tight", this.root.clientWidth < 780);
    const columns = narrow ? 1 : Math.max(2, number), gap = 12, each = (width - gap * (columns - 1)) / columns - 26;
    let height = narrow ? Math.min(0.92 * (width - 22), 420) : clamp(number === 3 ? each * 1.12 : each, 220, this.options.height || 460);
    if (full) height = Math.max(180, (innerHeight - this.root.querySelector(".fm-bar").offsetHeight - this.root.querySelector(".fm-chips").offsetHeight - this.strip.card.offsetHeight - 90) / (narrow ? number : 1) - 56);
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
    this.over.width = this.size[0];
    this.over.height = this.size[1];
    this.mapViews();
    this.wake();
  }

  mapViews() {
    if (!this.scene || !this.frames) return;
    const { bounds, box } = this.scene, dpr = this.dpr, [left, right, bottom, top] = bounds, c = this.coordinate;
    this.views = this.frames.map(({ x, y, w, h }) => {
      const scale = Math.min(w / (right - left), h / (top - bottom));
      let ox = 0, oy, sx = 1, sy;
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
        uv = [(-ox / sx - left) / (right - left), (-oy / sy - bottom) / (top - bottom), 1 / (sx * (right - left) * dpr), 1 / (sy * (top - bottom) * dpr)];
      }
      const rect = [Math.round(x * dpr), Math.round(y * dpr), Math.round(w * dpr), Math.round(h * dpr)];
      return {
        x, y, w, h, plot, rect, uv, scale, cssTimeX, cssNorm: norm,
        norm: norm.map((v) => v * dpr),
        timeX: (t) => cssTimeX(t) * dpr,
        cssY: (point) => oy + sy * point[this.time ? c : 1],
        css: (point, t) => (this.time ? [cssTimeX(t), oy + sy * point[c]] : [ox + sx * point[0], oy + sy * point[1]]),
        // The plane's point under a pixel of the pane, and the time there.
        plane: (px, py) => (this.time ? [c ? 0 : (py - oy) / sy, c ? (py - oy) / sy : 0] : [(px - ox) / sx, (py - oy) / sy]),
        timeAt: (px) => clamp(this.first - (span * (px - plot.left)) / (plot.right - plot.left), this.end, this.first),
      };
    });
  }

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
  }

  wake() {
    if (this.pending || this.gone) return;
    this.pending = requestAnimationFrame((now) => this.tick(now));
  }

  tick(now) {
    this.pending = 0;
    if (!this.root.isConnected) return this.dispose();
    if (!this.scene || !this.stage.clientWidth || this.away) {
      this.last = undefined;
      return;
    }
    if (this.playing) {
      // A frame's time may precede the last one's, and a sleeping tab wakes with a huge step.
      const step = clamp(now - (this.last ?? now), 0, 100);
      this.advance(step);
    }
    this.last = this.playing ? now : undefined;
    this.draw();
    if (this.afterDraw) this.afterDraw();
    if (this.playing) this.wake();
  }

  advance(milliseconds) {
    if (this.t > this.end) {
      this.t = Math.max(this.end, this.t - ((this.first - this.end) * this.speed * milliseconds) / SWEEP);
      this.held = 0;
      return;
    }
    this.held += milliseconds;
    if (this.held < HOLD) return;
    this.held = 0;
    if (this.afterSweep) this.afterSweep();
    if (this.loop) this.t = this.first;
    else this.setPlaying(false);
  }

  draw() {
    const scene = this.scene, plan = this.plan();
    this.frame = plan.at.mix >= 1 ? plan.at.frame + 1 : plan.at.frame;
    this.count++;
    this.renderer.draw(plan);
    const c = this.over.getContext("2d");
    c.setTransform(this.dpr, 0, 0, this.dpr, 0, 0);
    c.clearRect(0, 0, this.stage.clientWidth, this.stage.clientHeight);
    this.pick(plan);
    plan.panes.forEach((view, i) => {
      c.save();
      c.beginPath();
      c.roundRect(view.x, view.y, view.w, view.h, 10);
      c.clip();
      if (plan.time) drawAxes(c, scene, view, plan);
      else if (this.layers.arrows && scene.panes[i].arrows) drawArrows(c, scene, scene.panes[i], view, plan);
      if (this.picked >= 0) drawPicked(c, scene, scene.panes[i], view, plan, this.picked);
      if (this.probed && (!plan.time || scene.dim === 1)) drawProbe(c, scene, view, plan, this.probed, this.answer, i);
      if (this.aim && this.aim.pane === i) this.drawAim(c, view);
      if (this.pointer && this.pointer.pane === i) this.drawReadout(c, view);
      c.restore();
    });
    this.strip.draw(this.dpr, this.theme, this.t, scene);
    const text = `t = ${fixed(this.t)}`;
    if (this.clock.textContent !== text) this.clock.textContent = text;
    const value = this.first - this.t;
    if (Math.abs(this.slider.value - value) > 1e-6) this.slider.value = value;
    this.slider.setAttribute("aria-valuetext", text);
    const detail = { t: this.t, a: between(scene.a, plan.at), b: between(scene.b, plan.at), frame: this.frame, id: this.options.id || null };
    window.dispatchEvent(new CustomEvent("fm-clock", { detail }));
  }

  pick(plan) {
    const p = this.pointer;
    this.picked = -1;
    if (p && !p.down && this.views[p.pane]) this.picked = nearest(this.scene, this.scene.panes[p.pane], this.views[p.pane], plan, p.x, p.y, 9);
  }

  drawReadout(c, view) {
    const [px, py] = [this.pointer.x, this.pointer.y], [x, y] = view.plane(px, py);
    const text = this.time ? `t ${fixed(view.timeAt(px))}   ${fixed(this.coordinate ? y : x)}` : `(${fixed(x)}, ${fixed(y)})`;
    c.font = "11px ui-sans-serif, system-ui, sans-serif";
    c.textBaseline = "alphabetic";
    c.textAlign = "right";
    c.fillStyle = css(this.theme["ink-soft"]);
    c.fillText(text, view.x + view.w - 10, view.y + (this.time ? 22 : view.h - 9));
  }

  drawAim(c, view) {
    const [px, py] = view.css([this.aim.x, this.aim.y], this.t);
    c.strokeStyle = css(this.theme.ink, 0.8);
    c.lineWidth = 1.2;
    c.beginPath();
    for (const [dx, dy] of [[1, 0], [-1, 0], [0, 1], [0, -1]]) {
      c.moveTo(view.x + px + 4 * dx, view.y + py + 4 * dy);
      c.lineTo(view.x + px + 14 * dx, view.y + py + 14 * dy);
    }
    c.stroke();
  }

  seek(t) {
    this.t = clamp(t, this.end, this.first);
    this.held = 0;
    this.wake();
  }

  step(frames) {
    this.setPlaying(false);
    const at = locate(this.scene, this.t), here = at.frame + at.mix;
    const next = frames > 0 ? Math.floor(here + 1e-6) + frames : Math.ceil(here - 1e-6) + frames;
    this.seek(this.scene.times[clamp(next, 0, this.scene.last)]);
  }

  setPlaying(playing) {
    this.playing = playing;
    this.last = undefined;
    if (playing && this.scene && this.t <= this.end) this.t = this.first;
    this.reflect();
    this.wake();
  }

  setView(time) {
    this.time = time;
    this.mapViews();
    this.reflect();
    this.wake();
  }

  /** Ask about a point: the ring appears at once, the answer comes from Python as `overlay`. */
  ask(pane, x, y, t) {
    this.probed = { pane, x, y, t };
    this.answer = null;
    this.setPlaying(false);
    this.seek(t);
    this.say.textContent = `Point ${fixed(x)}, ${fixed(y)} at t ${fixed(t)}`;
    this.options.onProbe?.({ pane, x, y, t });
  }

  /** Show the answer to a probe: {pane, x, y, t, paths, times, fan, u, net, var, pathPane}; null clears it. */
  overlay(answer) {
    if (!answer || !Number.isFinite(answer.x)) {
      this.probed = this.answer = null;
    } else {
      this.answer = answer;
      this.probed = { pane: answer.pane, x: answer.x, y: answer.y, t: answer.t };
    }
    this.wake();
  }

  tell(text) {
    this.hint.textContent = text;
    this.hint.hidden = !text;
  }

  /** Make the controls say what the state is. */
  reflect() {
    const one = (selector) => this.root.querySelector(selector), scene = this.scene;
    const play = one('[data-do="play"]'), label = this.playing ? "Pause" : "Play";
    if (play.getAttribute("aria-label") !== label) {
      play.innerHTML = this.playing ? ICONS.pause : ICONS.play;
      play.setAttribute("aria-label", label);
    }
    one('[data-do="loop"]').setAttribute("aria-pressed", String(this.loop));
    const able = {
      lines: !scene || scene.panes.some((pane) => pane.lines),
      arrows: !scene || (!this.time && scene.panes.some((pane) => pane.arrows)),
    };
    for (const chip of this.root.querySelectorAll("[data-layer]")) {
      const key = chip.dataset.layer;
      chip.setAttribute("aria-pressed", String(this.layers[key]));
      chip.disabled = able[key] === false;
      if (key === "field" && scene) chip.textContent = !this.time && scene.panes.some((pane) => pane.field?.kind === "error") ? "error" : "marginal";
      if (key === "trails") chip.textContent = this.time ? "trajectories" : "trails";
    }
    for (const button of this.root.querySelectorAll("[data-view]")) button.setAttribute("aria-pressed", String((button.dataset.view === "time") === this.time));
    this.root.classList.toggle("fm-scrubs", this.time && Boolean(scene && scene.dim === 2));
    one(".fm-coordinate").hidden = !this.time || Boolean(scene && scene.dim === 1);
    one('[data-choose="coordinate"]').value = String(this.coordinate);
    one(".fm-trail").hidden = this.time;
    one(".fm-trail").classList.toggle("fm-off", !this.layers.trails);
    const colour = one('[data-choose="colour"]');
    colour.querySelector('[value="class"]').disabled = Boolean(scene && !scene.labels);
    colour.value = this.colourMode;
    one('[data-do="full"]').hidden = !document.fullscreenEnabled;
  }

  async export(kind) {
    if (!this.scene || this.exporting) return;
    this.exporting = true;
    if (kind !== "html") {
      this.sharp = kind === "png" || this.renderer.name === "webgl2" ? 2 : 1.5;
      this.layout();
    }
    try {
      if (kind === "html") download(exportPage(this), "flow-matching.html");
      if (kind === "png") download(await exportPicture(this), "flow-matching.png");
      if (kind === "webm") {
        this.tell("Recording one sweep …");
        download(await exportFilm(this), "flow-matching.webm");
        this.tell("");
      }
    } catch (error) {
      this.tell(error.message);
    }
    this.exporting = false;
    this.sharp = 0;
    this.layout();
  }

  menu(open) {
    this.root.querySelector(".fm-items").hidden = !open;
    this.root.querySelector('[data-do="menu"]').setAttribute("aria-expanded", String(open));
  }

  act(what) {
    if (what !== "menu") this.menu(false);
    if (what === "menu") this.menu(this.root.querySelector(".fm-items").hidden);
    else if (what === "full") document.fullscreenElement ? document.exitFullscreen() : this.root.requestFullscreen();
    else if (what === "loop") {
      this.loop = !this.loop;
      this.reflect();
    } else if (!this.scene) return;
    else if (what === "play") this.setPlaying(!this.playing);
    else if (what === "back") this.step(-1);
    else if (what === "forward") this.step(1);
    else this.export(what);
  }

  listen() {
    const root = this.root, stop = (this.stop = new AbortController()), signal = stop.signal;
    root.addEventListener("click", (event) => {
      const button = event.target.closest("button");
      if (!button || !root.contains(button)) return this.menu(false);
      const { do: what, layer, view } = button.dataset;
      if (what) this.act(what);
      if (layer) {
        this.layers[layer] = !this.layers[layer];
        this.reflect();
        this.wake();
      }
      if (view) this.setView(view === "time");
    }, { signal });
    root.addEventListener("input", (event) => {
      const choice = event.target.dataset.choose, value = event.target.value;
      if (event.target === this.slider) this.seek(this.first - value);
      if (choice === "speed") this.speed = Number(value);
      if (choice === "trail") this.trailShare = Number(value);
      if (choice === "coordinate") {
        this.coordinate = Number(value);
        this.mapViews();
      }
      if (choice === "colour") {
        this.colourMode = value;
        this.recolour();
      }
      this.wake();
      // What happens inside the player is no change of Gradio's value.
      event.stopPropagation();
    }, { signal });
    this.listenPointer(signal);
    document.addEventListener("keydown", (event) => this.key(event), { signal });
    document.addEventListener("fullscreenchange", () => this.layout(), { signal });
    this.watchTheme = new MutationObserver(() => {
      if (document.body.classList.contains("dark") === this.theme.dark) return;
      this.theme = readTheme(root);
      this.recolour();
    });
    this.watchTheme.observe(document.body, { attributes: true, attributeFilter: ["class"] });
    this.watchSize = new ResizeObserver(() => (root.isConnected ? this.layout() : this.dispose()));
    this.watchSize.observe(this.stage);
    this.watchSight = new IntersectionObserver((entries) => {
      this.away = !entries[entries.length - 1].isIntersecting;
      if (!this.away) this.wake();
    });
    this.watchSight.observe(root);
  }

  listenPointer(signal) {
    const place = (event) => {
      const box = event.target.closest?.(".fm-view");
      if (!box) return null;
      const r = box.getBoundingClientRect();
      return { pane: Number(box.dataset.pane), x: event.clientX - r.left, y: event.clientY - r.top, down: event.buttons > 0 };
    };
    this.root.addEventListener("pointermove", () => (this.hovered = true), { signal });
    this.root.addEventListener("pointerleave", () => (this.hovered = false), { signal });
    this.stage.addEventListener("pointermove", (event) => {
      const was = this.pointer;
      this.pointer = event.pointerType === "touch" ? null : place(event);
      if (this.pointer || was) this.wake();
    }, { signal });
    this.stage.addEventListener("pointerleave", () => {
      this.pointer = null;
      this.wake();
    }, { signal });
    this.stage.addEventListener("click", (event) => {
      const at = place(event), view = at && this.views[at.pane];
      if (!view || !this.scene) return;
      const [x, y] = view.plane(at.x, at.y);
      if (!this.time) this.ask(at.pane, x, y, this.t);
      else if (this.scene.dim === 1) this.ask(at.pane, x, 0, view.timeAt(at.x));
      else {
        this.setPlaying(false);
        this.seek(view.timeAt(at.x));
      }
    }, { signal });
  }

  key(event) {
    // Who walks the page by Tab means the focused control, wherever the pointer was left lying.
    if (event.key === "Tab") this.hovered = false;
    const active = document.activeElement, inside = this.root.contains(active);
    const writing = active && active.matches("textarea, select, input:not([type=radio], [type=checkbox], [type=button]), [contenteditable]");
    if (!(inside || (this.hovered && !writing)) || event.ctrlKey || event.metaKey || event.altKey) return;
    if (!this.scene || this.away || !this.stage.clientWidth) return;
    const tag = inside ? active.tagName : "", box = inside && active.classList.contains("fm-view") ? active : null;
    if (box && this.keyAim(event, Number(box.dataset.pane))) return event.preventDefault();
    if (tag === "SELECT" || (tag === "INPUT" && active !== this.slider)) return;
    if (event.key === "Escape") this.menu(false);
    const wide = event.shiftKey ? 5 : 1;
    const acts = {
      " ": () => tag !== "BUTTON" && (this.setPlaying(!this.playing), true),
      ArrowLeft: () => (this.step(-wide), true),
      ArrowRight: () => (this.step(wide), true),
      Home: () => (this.setPlaying(false), this.seek(this.first), true),
      End: () => (this.setPlaying(false), this.seek(this.end), true),
    };
    if (acts[event.key]?.()) event.preventDefault();
  }

  // On a focused pane Enter brings up a cross, arrows move it, Enter asks about its point, Escape puts it away.
  keyAim(event, pane) {
    const view = this.views[pane], moves = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };
    if (this.time && this.scene.dim !== 1) return false;
    if (event.key === "Enter") {
      if (this.aim && this.aim.pane === pane) this.ask(pane, this.aim.x, this.aim.y, this.t);
      else {
        const [x, y] = view.plane(view.w / 2, view.h / 2);
        this.aim = { pane, x, y: this.scene.dim === 1 ? 0 : y };
        this.say.textContent = "Arrow keys move the cross, Enter asks about its point, Escape leaves.";
      }
    } else if (this.aim && event.key === "Escape") this.aim = null;
    else if (this.aim && moves[event.key]) {
      const [dx, dy] = moves[event.key], reach = event.shiftKey ? 20 : 4, [px, py] = view.css([this.aim.x, this.aim.y], this.t);
      const [x, y] = view.plane(clamp(px + reach * dx, 4, view.w - 4), clamp(py + reach * dy, 4, view.h - 4));
      this.aim = { pane, x, y };
    } else return false;
    this.wake();
    return true;
  }

  dispose() {
    if (this.gone) return;
    this.gone = true;
    cancelAnimationFrame(this.pending);
    this.stop.abort();
    for (const watcher of [this.watchTheme, this.watchSize, this.watchSight]) watcher.disconnect();
    this.renderer.dispose();
    this.scene = null;
  }
}

/** Connects a player to Gradio's gr.HTML: value.scene is a file, `overlay` a prop, the event carries a probe. */
function attach(element, { props, watch, send }) {
  const root = element.querySelector(".fm-player") || element.appendChild(document.createElement("div"));
  const player = new Player(root, { ...(props.options || {}), onProbe: send });
  element.__player = player.probe;
  let shown = null;
  const take = () => {
    const file = props.value && props.value.scene;
    if (!file || file.url === shown) return;
    shown = file.url;
    player.fetch(file.url);
  };
  watch("value", take);
  watch("overlay", () => player.overlay(props.overlay || null));
  take();
  return player;
}

window.FMPlayer = { Player, attach, readScene };
