// Mouse, touch and keys.

Object.assign(Player.prototype, {
  listen() {
    const root = this.root, stop = (this.stop = new AbortController()), signal = stop.signal;
    root.addEventListener("click", (event) => {
      const button = event.target.closest("button");
      if (!button || !root.contains(button)) return this.menu(false);
      // After a click of the mouse the space bar plays; who came by Tab keeps the button.
      if (event.detail) button.blur();
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
  },

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
      this.pointer = event.pointerType === "touch" || this.exporting ? null : place(event);
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
  },

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
  },

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
  },
});
