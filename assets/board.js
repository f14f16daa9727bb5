/* The board: draw a cloud with the brush, see the points of a file, or drag the components of a mixture.
   What it shows is what plays: where nothing is drawn, the example, pale, until the first stroke. */
(() => {
  const SPAN = 3.5, HINTS = {
    mixture: "Drag a component; the wheel widens it.",
    cloud: "The points of the file.",
    draw: "The cloud follows when you let go.",
    example: "An example. Draw over it: your drawing takes its place.",
    instead: "Your first stroke takes the place of the file's points.",
  };
  window.fmBoard = (element, props, trigger, watch, EXAMPLE) => {
    const canvas = element.querySelector("canvas"), pen = canvas.getContext("2d");
    const hint = element.querySelector(".board-hint"), button = (name) => element.querySelector(`[data-board=${name}]`);
    let mode = "draw", strokes = [], cloud = null, components = [], history = [], held = -1, drawing = false, sent = 0;
    const css = (name) => getComputedStyle(document.body).getPropertyValue(name).trim();
    const fit = () => {
      const size = canvas.clientWidth, scale = window.devicePixelRatio || 1;
      if (!size) return;
      canvas.width = canvas.height = Math.round(size * scale);
      draw();
    };
    const toPixel = (x, y, span = SPAN) => [(x / span + 1) / 2 * canvas.width, (1 - y / span) / 2 * canvas.height];
    const toPlane = (event) => {
      const box = canvas.getBoundingClientRect();
      return [((event.clientX - box.left) / box.width * 2 - 1) * SPAN, (1 - (event.clientY - box.top) / box.height * 2) * SPAN];
    };
    const drawStrokes = (lines) => {
      pen.strokeStyle = css("--fm-data");
      pen.lineWidth = canvas.width / 34; pen.lineCap = pen.lineJoin = "round";
      for (const stroke of lines) {
        pen.beginPath();
        stroke.forEach(([x, y], k) => { const [u, v] = toPixel(x, y); k ? pen.lineTo(u, v) : pen.moveTo(u, v); });
        if (stroke.length === 1) pen.lineTo(...toPixel(stroke[0][0] + 0.01, stroke[0][1]));
        pen.stroke();
      }
      pen.lineWidth = 1;
    };
    const drawCloud = () => {
      const span = cloud.points.reduce((most, [x, y]) => Math.max(most, Math.abs(x), Math.abs(y)), SPAN);
      const size = Math.max(2, canvas.width / 140), flat = cloud.points.every(([, y]) => y === 0);
      const colours = [...Array(10).keys()].map((k) => css(`--fm-class-${k}`));
      cloud.points.forEach(([x, y], k) => {
        const [u, v] = toPixel(x, y, span), tall = flat ? 8 * size : size;
        pen.fillStyle = cloud.labels ? colours[cloud.labels[k] % colours.length] : css("--fm-data");
        pen.fillRect(u - size / 2, v - tall / 2, size, tall);
      });
    };
    const drawComponents = () => components.forEach(([weight, x, y, sxx, sxy, syy], k) => {
      const half = (sxx + syy) / 2, gap = Math.hypot((sxx - syy) / 2, sxy), angle = Math.atan2(2 * sxy, sxx - syy) / 2;
      const unit = canvas.width / 2 / SPAN, [u, v] = toPixel(x, y);
      for (const level of [1, 2]) {
        pen.beginPath();
        pen.ellipse(u, v, level * unit * Math.sqrt(half + gap), level * unit * Math.sqrt(Math.max(half - gap, 1e-4)), -angle, 0, 7);
        pen.globalAlpha = (level === 1 ? 0.3 : 0.15) + 0.5 * weight;
        pen.fillStyle = css("--fm-data"); pen.fill();
      }
      pen.globalAlpha = 1;
      pen.beginPath(); pen.arc(u, v, canvas.width / 50, 0, 7);
      pen.fillStyle = k === held ? css("--fm-ink") : css("--fm-data"); pen.fill();
    });
    const draw = () => {
      pen.clearRect(0, 0, canvas.width, canvas.height);
      pen.strokeStyle = css("--fm-border");
      pen.beginPath();
      pen.moveTo(canvas.width / 2, 0); pen.lineTo(canvas.width / 2, canvas.height);
      pen.moveTo(0, canvas.height / 2); pen.lineTo(canvas.width, canvas.height / 2);
      pen.stroke();
      if (mode === "mixture") drawComponents();
      else if (strokes.length) drawStrokes(strokes);
      else {
        // What plays while nothing is drawn yet; pale where a stroke takes its place.
        pen.globalAlpha = mode === "draw" ? 0.3 : 1;
        if (cloud) drawCloud(); else drawStrokes(EXAMPLE);
        pen.globalAlpha = 1;
      }
    };
    const dress = () => {
      const show = (name, seen) => { button(name).hidden = !seen; };
      show("add", mode === "mixture");
      show("draw", mode === "cloud");
      show("undo", mode === "draw" && history.length > 0);
      show("clear", mode === "mixture" || (mode === "draw" && strokes.length > 0));
      button("clear").textContent = mode === "mixture" ? "− component" : "Clear";
      canvas.style.cursor = mode === "cloud" ? "default" : "";
      hint.textContent = HINTS[mode !== "draw" || strokes.length ? mode : cloud ? "instead" : "example"];
      draw();
    };
    const send = (what = mode === "mixture" ? { components } : { strokes }) => {
      sent += 1;
      trigger("input", { ...what, count: sent });
    };
    const keep = () => history.push({ mode, strokes: strokes.map((stroke) => [...stroke]), cloud });
    canvas.addEventListener("pointerdown", (event) => {
      if (mode === "cloud") return;
      canvas.setPointerCapture(event.pointerId);
      const [x, y] = toPlane(event);
      if (mode === "draw") { keep(); drawing = true; strokes.push([[x, y]]); }
      else {
        const distances = components.map(([, cx, cy]) => Math.hypot(cx - x, cy - y));
        held = distances.length ? distances.indexOf(Math.min(...distances)) : -1;
        if (held >= 0 && distances[held] > 0.8) held = -1;
      }
      draw();
    });
    canvas.addEventListener("pointermove", (event) => {
      const [x, y] = toPlane(event).map((c) => Math.max(-SPAN, Math.min(SPAN, c)));
      if (drawing) {
        const stroke = strokes[strokes.length - 1], [px, py] = stroke[stroke.length - 1];
        if (Math.hypot(px - x, py - y) > 0.04 && strokes.flat().length < 2000) stroke.push([x, y]);
      } else if (held >= 0) { components[held][1] = x; components[held][2] = y; }
      else return;
      requestAnimationFrame(draw);
    });
    const release = () => {
      if (!drawing && held < 0) return;
      if (drawing) cloud = null;
      drawing = false; held = -1;
      dress(); send();
    };
    canvas.addEventListener("pointerup", release);
    canvas.addEventListener("pointercancel", release);
    // The wheel over a component makes it wider or narrower.
    canvas.addEventListener("wheel", (event) => {
      if (mode !== "mixture" || !components.length) return;
      const [x, y] = toPlane(event), distances = components.map(([, cx, cy]) => Math.hypot(cx - x, cy - y));
      const near = distances.indexOf(Math.min(...distances));
      if (distances[near] > 0.8) return;
      event.preventDefault();
      const factor = event.deltaY < 0 ? 1.12 : 1 / 1.12;
      for (const k of [3, 4, 5]) components[near][k] *= factor;
      components[near][3] = Math.min(4, Math.max(0.005, components[near][3]));
      components[near][5] = Math.min(4, Math.max(0.005, components[near][5]));
      draw();
      clearTimeout(canvas.settled);
      canvas.settled = setTimeout(() => send(), 250);
    }, { passive: false });
    button("clear").addEventListener("click", () => {
      if (mode === "draw") { keep(); strokes = []; }
      else components = components.slice(0, Math.max(1, components.length - 1));
      dress(); send();
    });
    button("add").addEventListener("click", () => {
      if (components.length >= 16) return;
      components.push([1 / (components.length + 1), 0, 0, 0.2, 0, 0.2]);
      dress(); send();
    });
    button("draw").addEventListener("click", () => { keep(); mode = "draw"; dress(); });
    button("undo").addEventListener("click", () => {
      const drawn = strokes.length > 0;
      ({ mode, strokes, cloud } = history.pop());
      dress();
      // The points of a file that were only put aside on the board play still.
      if (mode === "draw" && !cloud) send();
      else if (drawn) send({ back: true });
    });
    const same = (lines) => lines.length === strokes.length && lines.every((line, k) => line.length === strokes[k].length);
    const take = () => {
      const value = typeof props.value === "string" ? JSON.parse(props.value) : props.value || {};
      // The answer to an earlier stroke knows nothing of the later ones.
      if (drawing || (value.count || 0) < sent) return;
      sent = value.count || 0;
      // An answer to what was drawn here leaves the way back open; anything else begins anew.
      if (mode !== "draw" || value.mode !== "draw" || !same(value.strokes)) history = [];
      mode = value.mode || "draw";
      strokes = (value.strokes || []).map((stroke) => stroke.map((place) => [...place]));
      components = (value.components || []).map((row) => [...row]);
      cloud = mode === "cloud" ? { points: value.points, labels: value.labels } : null;
      dress();
      fit();
    };
    const sizes = new ResizeObserver(() => (element.isConnected ? fit() : sizes.disconnect()));
    sizes.observe(canvas);
    new MutationObserver(draw).observe(document.body, { attributes: true, attributeFilter: ["class"] });
    watch("value", take);
    take();
  };
})();
