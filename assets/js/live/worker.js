// Jobs in a Worker: the page's own script, run again without a page, answers them.

import { SCRIPT } from "../given.js";
import { walk } from "./walk.js";

/** @typedef {import("./walk.js").Job} Job */
/** @typedef {import("./walk.js").Told} Told */
/** @typedef {{ id: number, job: Job | null }} Asked a job, or null: leave the one of this number */
/** @typedef {{ id: number, k?: number, x?: Float32Array, worked?: number, error?: string }} Answer a knot, or the end */

/** Milliseconds between two looks at the messages. */
const SLICE = 25;

/** Answer the page's messages; call it in a Worker. @param {{ onmessage: ((event: MessageEvent<Asked>) => void) | null, postMessage: (answer: Answer, given: Transferable[]) => void }} port */
export function answer(port) {
  /** @type {Set<number>} */
  const left = new Set();
  port.onmessage = async ({ data: { id, job } }) => {
    if (!job) return void left.add(id);
    const told = (/** @type {number} */ k, /** @type {Float32Array} */ x) => port.postMessage({ id, k, x }, [x.buffer]);
    try {
      const worked = await walk(job, told, () => left.has(id), SLICE);
      port.postMessage({ id, worked: worked ?? undefined }, []);
    } catch (error) {
      port.postMessage({ id, error: error instanceof Error ? error.message : String(error) }, []);
    }
    left.delete(id);
  };
}

/** A Worker of the page's own script, as a back end of the engine. */
export class InWorker {
  /** Throws where this is not the page's one script, or the browser gives no Worker. */
  constructor() {
    if (!SCRIPT) throw new Error("A Worker needs the modules as one script.");
    const address = URL.createObjectURL(new Blob([SCRIPT], { type: "text/javascript" }));
    this.name = "worker";
    this.worker = new Worker(address);
    URL.revokeObjectURL(address);
    this.asked = 0;
    /** @type {Map<number, { told: Told, end: (worked: number | null) => void, fail: (error: Error) => void }>} */
    this.waiting = new Map();
    this.worker.onmessage = ({ data }) => this.hear(data);
    this.worker.onerror = (event) => {
      for (const { fail } of this.waiting.values()) fail(new Error(event.message || "The Worker did not start."));
      this.waiting.clear();
    };
  }

  /** @param {Answer} answer */
  hear({ id, k, x, worked, error }) {
    const job = this.waiting.get(id);
    if (!job) return;
    if (x) return job.told(/** @type {number} */ (k), x);
    this.waiting.delete(id);
    if (error) job.fail(new Error(error));
    else job.end(worked ?? null);
  }

  /** Every law. */
  can() {
    return true;
  }

  /** @param {Job} job @param {Told} told @returns {import("./engine.js").Running} */
  follow(job, told) {
    const id = ++this.asked;
    this.worker.postMessage({ id, job });
    /** @type {Promise<number | null>} */
    const done = new Promise((end, fail) => this.waiting.set(id, { told, end, fail }));
    return {
      done,
      stop: () => {
        if (!this.waiting.has(id)) return;
        this.worker.postMessage({ id, job: null });
        this.hear({ id });
      },
    };
  }

  dispose() {
    this.worker.terminate();
    for (const { end } of this.waiting.values()) end(null);
    this.waiting.clear();
  }
}
