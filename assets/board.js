/* The board: draw a cloud with the brush, or drag the components of a mixture. One canvas, two modes. */
(() => {
  const SPAN = 3.5;
  window.fmBoard = (element, props, trigger, watch) => {
    const canvas = element.querySelector("canvas"), pen = canvas.getContext("2d");
    const hint = element.querySelector(".board-hint");
    let mode = "draw", strokes = [], components = [], held = -1, drawing = false;
    const css = (name) => getComputedStyle(document.body).getPropertyValue(name).trim();
    const fit = () => {
      const size = canvas.clientWidth, scale = window.devicePixelRatio || 1;
      if (!size) return;
      canvas.width = canvas.height = Math.round(size * scale);
      draw();
    };
    const toPixel = (x, y) => [(x / SPAN + 1) / 2 * canvas.width, (1 - y / SPAN) / 2 * canvas.height];
    const toPlane = (event) => {
      const box = canvas.getBoundingClientRect();
      return [((event.clientX - box.left) / box.width * 2 - 1) * SPAN, (1 - (event.clientY - box.top) / box.height * 2) * SPAN];
    };
    const draw = () => {
      pen.clearRect(0, 0, canvas.width, canvas.height);
      pen.strokeStyle = css("--fm-border");
      pen.beginPath();
      pen.moveTo(canvas.width / 2, 0); pen.lineTo(canvas.width / 2, canvas.height);
      pen.moveTo(0, canvas.height / 2); pen.lineTo(canvas.width, canvas.height / 2);
      pen.stroke();
      if (mode === "draw") {
        pen.strokeStyle = css("--fm-data");
        pen.lineWidth = canvas.width / 34; pen.lineCap = pen.lineJoin = "round";
        for (const stroke of strokes) {
          pen.beginPath();
          stroke.forEach(([x, y], k) => { const [u, v] = toPixel(x, y); k ? pen.lineTo(u, v) : pen.moveTo(u, v); });
          if (stroke.length === 1) pen.lineTo(...toPixel(stroke[0][0] + 0.01, stroke[0][1]));
          pen.stroke();
        }
        pen.lineWidth = 1;
      } else {
        components.forEach(([weight, x, y, sxx, sxy, syy], k) => {
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
      }
    };
    const send = () => {
      if (mode === "draw") trigger("input", { strokes });
      else trigger("input", { components });
    };
    canvas.addEventListener("pointerdown", (event) => {
      canvas.setPointerCapture(event.pointerId);
      const [x, y] = toPlane(event);
      if (mode === "draw") { drawing = true; strokes.push([[x, y]]); }
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
    const release = () => { if (drawing || held >= 0) { drawing = false; held = -1; draw(); send(); } };
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
      canvas.settled = setTimeout(send, 250);
    }, { passive: false });
    element.querySelector("[data-board=clear]").addEventListener("click", () => {
      if (mode === "draw") { strokes = []; draw(); }
      else { components = components.slice(0, Math.max(1, components.length - 1)); draw(); send(); }
    });
    element.querySelector("[data-board=add]").addEventListener("click", () => {
      if (mode !== "mixture" || components.length >= 16) return;
      components.push([1 / (components.length + 1), 0, 0, 0.2, 0, 0.2]);
      draw(); send();
    });
    const take = () => {
      const value = typeof props.value === "string" ? JSON.parse(props.value) : props.value || {};
      mode = value.mode || "draw";
      components = (value.components || []).map((row) => [...row]);
      element.querySelector("[data-board=add]").style.display = mode === "mixture" ? "" : "none";
      element.querySelector("[data-board=clear]").textContent = mode === "mixture" ? "− component" : "Clear";
      hint.textContent = mode === "mixture" ? "Drag a component; the wheel widens it." : "Draw with the pointer; the cloud follows when you let go.";
      fit();
    };
    const sizes = new ResizeObserver(() => (element.isConnected ? fit() : sizes.disconnect()));
    sizes.observe(canvas);
    new MutationObserver(draw).observe(document.body, { attributes: true, attributeFilter: ["class"] });
    watch("value", take);
    take();
  };
})();
