/* What the page itself needs in the browser: the theme switch, the folded experiment, the link, the code, the clock's dots. */
() => {
  const on = (selector, act) => document.addEventListener("click", (event) => {
    const button = event.target.closest(selector);
    if (button) act(button);
  });
  on("[data-fm=theme]", () => document.body.classList.toggle("dark"));
  on("[data-fm=fold]", (button) => {
    const open = document.body.classList.toggle("fm-open");
    button.setAttribute("aria-expanded", String(open));
  });
  on("[data-fm=link]", async (button) => {
    const said = button.textContent;
    try {
      await navigator.clipboard.writeText(location.href);
      button.textContent = "Copied";
    } catch {
      window.prompt("The link to this experiment:", location.href);
    }
    setTimeout(() => { button.textContent = said; }, 1400);
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
  window.addEventListener("fm-clock", (event) => {
    const drawing = document.querySelector(".fm-coefficients svg");
    if (!drawing) return;
    const t = event.detail.t, rows = JSON.parse(drawing.dataset.rows), last = rows.a.length - 1;
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
  });
}
