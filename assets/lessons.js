/* Lessons: a strip over the room. Each step sets an experiment and opens its room; the visitor does the rest. */
(() => {
  const strip = element.querySelector(".fm-lesson"), one = (name) => strip.querySelector(`[data-lesson=${name}]`);
  let lesson = null, step = 0, opened = 0;
  const make = (tag, text, act) => {
    const made = document.createElement(tag);
    made.textContent = text;
    if (act) made.addEventListener("click", act);
    return made;
  };
  const show = () => {
    const list = one("list"), body = one("body");
    list.hidden = lesson !== null;
    body.hidden = lesson === null;
    if (lesson === null) {
      list.replaceChildren(...LESSONS.map((each, k) => {
        const button = make("button", each.title, () => { lesson = k; step = 0; go(); });
        button.type = "button";
        return button;
      }));
      return;
    }
    const { title, steps } = LESSONS[lesson];
    one("title").textContent = `${title} · ${step + 1} of ${steps.length}`;
    one("text").innerHTML = steps[step].html;
    one("back").textContent = step ? "Back" : "All lessons";
    one("next").textContent = step + 1 < steps.length ? "Next" : "All lessons";
  };
  const go = () => {
    show();
    const { room, query, own } = LESSONS[lesson].steps[step];
    opened += 1;
    trigger("input", { query, own, count: opened });
    [...document.querySelectorAll('#rooms [role="tab"]')].find((tab) => tab.textContent.trim() === room)?.click();
    // What a step shows moves, although the last one may have asked to pause.
    if (matchMedia("(prefers-reduced-motion: reduce)").matches) return;
    for (const player of document.querySelectorAll("#paths-player .fm-player, #sample-player .fm-player")) player.__player?.player.setPlaying(true);
  };
  // The net of a lesson leaves with it.
  const leave = () => {
    if (lesson === null) return;
    lesson = null;
    opened += 1;
    trigger("input", { query: null, count: opened });
  };
  const move = (by) => {
    step += by;
    if (step < 0 || step >= LESSONS[lesson].steps.length) { leave(); show(); }
    else go();
  };
  one("back").addEventListener("click", () => move(-1));
  one("next").addEventListener("click", () => move(1));
  one("close").addEventListener("click", () => { strip.hidden = true; leave(); });
  window.addEventListener("fm-lessons", (event) => {
    event.preventDefault();
    strip.hidden = !strip.hidden;
    if (!strip.hidden) { show(); strip.scrollIntoView({ block: "nearest" }); }
  });
})();
