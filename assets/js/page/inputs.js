// Gradio's sliders and number fields, which hear a pointer and a lost focus, hear keys too.

const NUMBER = '.gradio-container input[type="number"][data-testid="number-input"]';

/** @param {Event} event @param {string} selector */
function field(event, selector) {
  return event.target instanceof HTMLInputElement && event.target.matches(selector) ? event.target : null;
}

/** A number as a slider takes it: within its ends, and the lower one for none. @param {string} typed @param {number} low @param {number} high */
export function within(typed, low, high) {
  const value = typed === "" ? NaN : Number(typed);
  return Number.isNaN(value) ? low : Math.min(high, Math.max(low, value));
}

export function mendInputs() {
  document.addEventListener("keyup", (event) => {
    const slider = field(event, ".gradio-container .block input[type=range]");
    if (slider && /^(Arrow|Page|Home|End)/.test(event.key)) slider.dispatchEvent(new PointerEvent("pointerup", { bubbles: true }));
  });
  document.addEventListener("keydown", (event) => {
    if (event.key === "Enter") field(event, NUMBER)?.blur();
  });
  // Enter takes the number that was typed, not the first of the list that begins like it, unless arrows went there.
  let walked = false;
  document.addEventListener("keydown", (event) => {
    const menu = field(event, ".fm-number input");
    if (!menu) return;
    if (event.key === "Enter" && !walked) {
      event.stopPropagation();
      event.preventDefault();
      menu.blur();
    }
    walked = event.key.startsWith("Arrow");
  }, true);
  // A number beyond a slider's ends becomes the end before Gradio sends it.
  document.addEventListener("blur", (event) => {
    const number = field(event, NUMBER);
    if (!number || number.min === "" || number.max === "") return;
    const inside = within(number.value, Number(number.min), Number(number.max));
    if (number.value !== "" && Number(number.value) === inside) return;
    number.value = String(inside);
    number.dispatchEvent(new Event("input", { bubbles: true }));
  }, true);
}
