// Lessons: a strip over the room. Each step sets an experiment and opens its room; the visitor does the rest.

import { play } from "./player/gradio.js";

/**
 * @typedef {{ room: string, query: string, own: boolean, html: string }} Step
 * @typedef {{ title: string, steps: Step[] }} Lesson
 */

class Lessons {
  /** The lesson that is open, its step, and how many steps and closings there have been. @type {Lesson | null} */
  lesson = null; step = 0; opened = 0;

  /** @param {HTMLElement} strip @param {Lesson[]} lessons @param {(data: unknown) => void} send */
  constructor(strip, lessons, send) {
    this.strip = strip;
    this.lessons = lessons;
    this.send = send;
    this.one("back").addEventListener("click", () => this.move(-1));
    this.one("next").addEventListener("click", () => this.move(1));
    this.one("close").addEventListener("click", () => {
      strip.hidden = true;
      this.leave();
    });
  }

  /** A part of the strip. @param {string} name */
  one(name) {
    return /** @type {HTMLElement} */ (this.strip.querySelector(`[data-lesson=${name}]`));
  }

  toggle() {
    this.strip.hidden = !this.strip.hidden;
    if (this.strip.hidden) return;
    this.show();
    this.strip.scrollIntoView({ block: "nearest" });
  }

  show() {
    const { lesson, step } = this;
    this.one("list").hidden = lesson !== null;
    this.one("body").hidden = lesson === null;
    if (!lesson) return this.one("list").replaceChildren(...this.lessons.map((each) => this.button(each)));
    this.one("title").textContent = `${lesson.title} · ${step + 1} of ${lesson.steps.length}`;
    this.one("text").innerHTML = lesson.steps[step].html;
    this.one("back").textContent = step ? "Back" : "All lessons";
    this.one("next").textContent = step + 1 < lesson.steps.length ? "Next" : "All lessons";
  }

  /** @param {Lesson} lesson */
  button(lesson) {
    const button = Object.assign(document.createElement("button"), { type: "button", textContent: lesson.title });
    button.addEventListener("click", () => this.go(lesson, 0));
    return button;
  }

  /** Open a step. @param {Lesson} lesson @param {number} step */
  go(lesson, step) {
    this.lesson = lesson;
    this.step = step;
    this.show();
    const { room, query, own } = lesson.steps[step];
    this.send({ query, own, count: ++this.opened });
    const tabs = /** @type {NodeListOf<HTMLElement>} */ (document.querySelectorAll('#rooms [role="tab"]'));
    [...tabs].find((tab) => tab.textContent?.trim() === room)?.click();
    // What a step shows moves, although the last one may have asked to pause.
    if (!matchMedia("(prefers-reduced-motion: reduce)").matches) play("#paths-player, #sample-player");
  }

  // The net of a lesson leaves with it.
  leave() {
    if (!this.lesson) return;
    this.lesson = null;
    this.send({ query: null, count: ++this.opened });
  }

  /** @param {number} by */
  move(by) {
    const { lesson, step } = this;
    if (lesson?.steps[step + by]) return this.go(lesson, step + by);
    this.leave();
    this.show();
  }
}

/** @param {HTMLElement} element @param {import("./studio.js").How} how `given`: the lessons */
export function mount(element, { trigger, given }) {
  const strip = /** @type {HTMLElement} */ (element.querySelector(".fm-lesson"));
  const lessons = new Lessons(strip, given, (data) => trigger("input", data));
  const asked = (/** @type {Event} */ event) => {
    event.preventDefault();
    lessons.toggle();
  };
  window.addEventListener("fm-lessons", asked);
  return () => window.removeEventListener("fm-lessons", asked);
}
