// The player: state, clock, pointer and keys. It draws only in requestAnimationFrame.

const SWEEP = 4000, HOLD = 1000, FOLLOWED = 2, COSTLY = 6, GIVE_WAY = 400;

class Player {
  /**
   * @param root element that becomes the player
   * @param options {layers, colour, panes, height, curves, backend, follow, names, onProbe}
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
    root.innerHTML = playerMarkup(options.names || {});
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
    this.followed = [...(options.follow || [])];
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
      get followed() { return player.followed; },
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
    this.stage.dataset.panes = number;
    this.base.insertAdjacentHTML("beforebegin", Array.from({ length: number }, (_, i) => paneMarkup(i)).join(""));
    this.boxes = [...this.stage.querySelectorAll(".fm-view")];
  }

  /** Fetch a scene and swap it in when it is there; until then the old one goes on playing. */
  async fetch(url) {
    const ticket = (this.ticket = (this.ticket || 0) + 1);
    this.loading = true;
    try {
      const reply = await fetch(url);
      if (!reply.ok) throw new Error(`The scene could not be fetched (${reply.status}).`);
      const buffer = await reply.arrayBuffer();
      if (ticket === this.ticket && !this.gone) this.load(buffer);
    } catch (error) {
      if (ticket === this.ticket) this.tell(error.message);
    }
    if (ticket === this.ticket) this.loading = false;
  }

  load(buffer) {
    const scene = readScene(buffer), first = this.scene === undefined, was = this.scene;
    this.scene = scene;
    this.first = scene.times[0];
    this.end = scene.times[scene.last];
    this.t = first ? this.first : clamp(this.t, this.end, this.first);
    this.probed = this.answer = null;
    this.picked = -1;
    this.followed = this.followed.filter((i) => i < scene.count);
    this.tell("");
    this.makePanes(scene.panes.length);
    scene.panes.forEach((pane, i) => {
      const section = this.boxes[i].parentElement;
      typeset(section.querySelector("h3"), pane.title);
      typeset(section.querySelector("p"), pane.caption);
      section.querySelector("p").title = pane.caption.replaceAll("_", "");
      this.boxes[i].setAttribute("aria-label", `${pane.title}: ${scene.count} particles. Press Enter to choose a point.`);
    });
    if (first || was.dim !== scene.dim) this.time = scene.dim === 1;
    if (scene.dim === 1) this.coordinate = 0;
    if (!scene.labels && this.colourMode === "class") this.colourMode = "end";
    this.renderer.load(scene);
    this.strip.load(scene);
    this.loads++;
    this.waits = 0;
    this.reflect();
    this.layout();
    this.recolour();
    this.slider.min = 0;
    this.slider.max = this.first - this.end;
    this.open();
  }

  recolour() {
    if (!this.scene) return;
    this.renderer.colour(this.scene.panes.map((pane) => colourise(this.scene, pane, this.colourMode, this.theme)));
    this.wake();
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
    // Where a frame takes the processor long, every other one is left out, so that the page gets half of its time;
    // and all of them for a moment after a choice, while the page asks for the scene of it.
    this.skips = this.playing && !this.exporting && (this.cost || 0) > COSTLY && (!this.skips || now < this.waits);
    if (!this.skips) {
      const began = performance.now();
      this.draw();
      this.cost = 0.8 * (this.cost || 0) + 0.2 * (performance.now() - began);
      if (this.afterDraw) this.afterDraw();
    }
    if (this.playing) this.wake();
  }

  /** A choice was made: a scene may be coming. */
  giveWay() {
    this.waits = performance.now() + GIVE_WAY;
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
      this.followed.forEach((j, k) => drawPicked(c, scene, scene.panes[i], view, plan, j, this.theme.classes[k]));
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

  /** Follow the particle nearest to a point of a pane, or let it go: the last two that were chosen. */
  follow(pane, x, y, t) {
    this.seek(t);
    const plan = this.plan(), [px, py] = this.views[pane].css([x, y], t);
    const i = nearest(this.scene, this.scene.panes[pane], this.views[pane], plan, px, py, 24);
    if (i < 0) return;
    const had = this.followed.includes(i);
    this.followed = had ? this.followed.filter((j) => j !== i) : [...this.followed, i].slice(-FOLLOWED);
    this.say.textContent = `Particle ${i} ${had ? "let go" : "followed"}`;
    this.wake();
  }

  /** Ask about a point: the ring appears at once, the answer comes from Python as `overlay`. */
  ask(pane, x, y, t) {
    if (this.options.follow) return this.follow(pane, x, y, t);
    this.probed = { pane, x, y, t };
    this.answer = this.laid = null;
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

  /** Show the answer that opens this scene, if there is one, with the clock stopped at its time. */
  open() {
    if (!this.later) return;
    this.overlay(this.later);
    this.setPlaying(false);
    this.seek(this.later.t);
    this.later = null;
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
      if (key === "arrows") chip.hidden = this.time;
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
    // What the pointer shows is for who holds it.
    this.pointer = null;
    if (kind === "png" || kind === "film") {
      this.sharp = kind === "png" || this.renderer.name === "webgl2" ? 2 : 1.5;
      this.layout();
    }
    try {
      if (kind === "html") download(exportPage(this), "flow-matching.html");
      if (kind === "png") download(await exportPicture(this), "flow-matching.png");
      if (kind === "gif") download(await exportGif(this), "flow-matching.gif");
      if (kind === "film") {
        const film = await exportFilm(this);
        download(film, `flow-matching.${film.type.includes("mp4") ? "mp4" : "webm"}`);
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
