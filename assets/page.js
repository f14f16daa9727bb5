/* What the page itself needs in the browser: the theme switch, the folded experiment, the link, the code, the clock's dots. */
() => {
  const on = (selector, act) => document.addEventListener("click", (event) => {
    const button = event.target.closest(selector);
    if (button) act(button);
  });
  // The theme that was chosen last, unless the address asks for one.
  const remembered = (act) => { try { return act(localStorage); } catch { return null; } };
  const chosen = remembered((store) => store.getItem("fm-theme"));
  if (chosen && !/[?&]__theme=/.test(location.search)) document.body.classList.toggle("dark", chosen === "dark");
  on("[data-fm=theme]", () => {
    const dark = document.body.classList.toggle("dark");
    remembered((store) => store.setItem("fm-theme", dark ? "dark" : "light"));
  });
  // Asked again until the strip is there: it may come after the bar.
  const lessons = () => window.dispatchEvent(new CustomEvent("fm-lessons", { cancelable: true })) && setTimeout(lessons, 100);
  on("[data-fm=lessons]", lessons);
  const top = () => { if (scrollY > 0) scrollTo({ top: 0 }); };
  // A button in a text that takes a choice for the reader.
  on("[data-fm=choose]", (button) => document.querySelector(button.dataset.choice)?.click());
  on("[data-fm=fold]", (button) => {
    const open = document.querySelector("#experiment").classList.toggle("fm-open");
    button.setAttribute("aria-expanded", String(open));
    if (open) top();
  });
  // The address carries the experiment and the room: a link opens both, the back button returns to the room before.
  const TABS = '#rooms > .tab-wrapper [role="tab"]', hash = (tab) => `#${tab.textContent.trim().toLowerCase().replaceAll(" ", "-")}`;
  let search = location.search;
  const write = (change, room) => {
    history[change](null, "", search + room || location.pathname);
    // A Space shows the page in a frame; its own address carries the link on this request.
    if (parent !== window) parent.postMessage({ queryString: search.slice(1), hash: room }, "https://huggingface.co");
  };
  window.fmLink = (query) => {
    search = query ? `?${query}` : "";
    write("replaceState", location.hash);
  };
  const enter = () => {
    const tabs = [...document.querySelectorAll(TABS)];
    if (!tabs.length) return void setTimeout(enter, 100);
    const wanted = tabs.find((tab) => hash(tab) === location.hash) || tabs[0];
    if (wanted.getAttribute("aria-selected") !== "true") wanted.click();
  };
  on(TABS, (tab) => {
    top();
    const first = tab === document.querySelector(TABS), room = first ? "" : hash(tab);
    if (room !== location.hash) write("pushState", room);
  });
  window.addEventListener("popstate", () => {
    // The experiment stays as it is: only the room goes back.
    write("replaceState", location.hash);
    enter();
  });
  if (location.hash) enter();
  // Gradio hears a slider only when a pointer lets go of it, and its number only when focus leaves; keys count too.
  document.addEventListener("keyup", (event) => {
    const field = event.target;
    if (!field.matches?.(".gradio-container .block input")) return;
    if (field.type === "range" && /^(Arrow|Page|Home|End)/.test(event.key)) field.dispatchEvent(new PointerEvent("pointerup", { bubbles: true }));
  });
  document.addEventListener("keydown", (event) => {
    if (event.key === "Enter" && event.target.matches?.('.gradio-container input[type="number"][data-testid="number-input"]')) event.target.blur();
  });
  // Enter takes the number that was typed, not the first of the list that begins like it, unless arrows went there.
  let walked = false;
  document.addEventListener("keydown", (event) => {
    if (!event.target.matches?.(".fm-number input")) return;
    if (event.key === "Enter" && !walked) {
      event.stopPropagation();
      event.preventDefault();
      event.target.blur();
    }
    walked = event.key.startsWith("Arrow");
  }, true);
  // A number beyond a slider's ends becomes the end before Gradio sends it.
  document.addEventListener("blur", (event) => {
    const field = event.target;
    if (!field.matches?.('.gradio-container input[type="number"][data-testid="number-input"]') || field.min === "" || field.max === "") return;
    const value = field.value === "" ? NaN : Number(field.value), inside = Math.min(Number(field.max), Math.max(Number(field.min), value));
    if (value === inside) return;
    field.value = String(Number.isFinite(inside) ? inside : field.min);
    field.dispatchEvent(new Event("input", { bubbles: true }));
  }, true);
  // Outside https and this machine, and in some frames, a page may not write to the clipboard; the old command may.
  const copied = async (text) => {
    try {
      await navigator.clipboard.writeText(text);
      return true;
    } catch {
      const field = Object.assign(document.createElement("textarea"), { value: text });
      document.body.append(field);
      field.select();
      const done = document.execCommand("copy");
      field.remove();
      return done;
    }
  };
  on("[data-fm=link]", async (button) => {
    const said = button.innerHTML;
    if (!(await copied(location.href))) return void window.prompt("The link to this experiment:", location.href);
    button.style.minWidth = `${button.offsetWidth}px`;
    button.textContent = "Copied";
    setTimeout(() => { button.innerHTML = said; }, 1400);
  });
  // The code dialog: what lies under it cannot be reached while it is open, and focus goes back where it was.
  let opener = null;
  const showCode = (open) => {
    const dialog = document.querySelector("#code-dialog");
    if (open === document.body.classList.contains("fm-code")) return;
    document.body.classList.toggle("fm-code", open);
    for (const under of document.querySelectorAll("#bar, #studio")) under.inert = open;
    dialog.setAttribute("role", "dialog");
    dialog.setAttribute("aria-modal", "true");
    dialog.setAttribute("aria-labelledby", "code-title");
    if (open) dialog.querySelector("[data-fm=code-close]").focus();
    else opener?.focus();
  };
  on("[data-fm=code]", (button) => {
    opener = button;
    document.querySelector("#code-ask").click();
    showCode(true);
  });
  on("[data-fm=code-close]", () => showCode(false));
  document.addEventListener("click", (event) => { if (event.target.id === "code-dialog") showCode(false); });
  document.addEventListener("keydown", (event) => { if (event.key === "Escape") showCode(false); });
  // The drawing of a_t and b_t follows the player's clock.
  let t = 1, drawn = null, curves;
  const follow = () => {
    const drawing = document.querySelector(".fm-coefficients svg");
    drawn = drawing;
    curves = drawing?.dataset.rows;
    if (!drawing) return;
    const rows = JSON.parse(drawing.dataset.rows), last = rows.a.length - 1;
    const at = (values) => {
      const place = Math.min(last, Math.max(0, t * last)), low = Math.floor(place), high = Math.min(last, low + 1);
      return values[low] + (values[high] - values[low]) * (place - low);
    };
    const x = drawing.dataset.left * 1 + (1 - t) * drawing.dataset.width;
    const y = (value) => drawing.dataset.bottom - (value - drawing.dataset.low) / (drawing.dataset.high - drawing.dataset.low) * drawing.dataset.height;
    for (const name of ["a", "b"]) {
      const dot = drawing.querySelector(`.dot-${name}`), value = at(rows[name]);
      dot.setAttribute("cx", x);
      dot.setAttribute("cy", y(value));
      const out = document.querySelector(`.fm-coefficients .value-${name}`);
      if (out) out.textContent = value.toFixed(2);
    }
    const line = drawing.querySelector(".clock");
    line.setAttribute("x1", x);
    line.setAttribute("x2", x);
  };
  window.addEventListener("fm-clock", (event) => {
    t = event.detail.t;
    follow();
  });
  // A new drawing, or new curves in the old one, come without the clock, which may be paused.
  new MutationObserver(() => {
    const drawing = document.querySelector(".fm-coefficients svg");
    if (drawing !== drawn || drawing?.dataset.rows !== curves) follow();
  }).observe(document.body, { childList: true, subtree: true, attributes: true, attributeFilter: ["data-rows"] });
}
