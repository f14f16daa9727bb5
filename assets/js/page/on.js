// Clicks anywhere on the page, for parts that come and go.

/** Act on clicks of what matches a selector, wherever it stands. @param {string} selector @param {(element: HTMLElement) => void} act */
export function on(selector, act) {
  document.addEventListener("click", (event) => {
    const found = event.target instanceof Element ? event.target.closest(selector) : null;
    if (found) act(/** @type {HTMLElement} */ (found));
  });
}

export function toTop() {
  if (scrollY > 0) scrollTo({ top: 0 });
}
