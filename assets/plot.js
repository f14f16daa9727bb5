/* A Plotly figure that updates in place. All figures of the page that have something new are drawn in one animation
   frame, so that what came together stands together, and for a third of the time at most: a page on a busy machine
   stays free to hear its buttons. */
const box = element.querySelector('.fm-plot');
const plots = window.__plots ||= {until: 0, waiting: new Set(), called: false};
let pending = null;
const ready = () => {
  if (window.Plotly) return Promise.resolve();
  window.__plotly = window.__plotly || new Promise((resolve, reject) => {
    const tag = document.createElement('script');
    tag.src = (window.gradio_config?.root || '') + LIBRARY;
    tag.onload = resolve;
    tag.onerror = () => reject(new Error('plotly.min.js could not be loaded'));
    document.head.appendChild(tag);
  });
  return window.__plotly;
};
const css = (name) => getComputedStyle(document.body).getPropertyValue(name).trim();
const themed = (figure) => {
  const text = JSON.stringify(figure).replace(/"var\((--fm-[a-z]+)\)"/g, (_, name) => JSON.stringify(css(name)));
  return JSON.parse(text);
};
const draw = async () => {
  if (!pending || !box.isConnected) return;
  await ready();
  if (!pending || !box.offsetWidth) return;
  const figure = themed(pending);
  await Plotly.react(box, figure.data, figure.layout, {displayModeBar: false, responsive: true});
  box.dataset.drawn = String(Number(box.dataset.drawn || 0) + 1);
};
const request = () => {
  plots.waiting.add(draw);
  if (plots.called) return;
  plots.called = true;
  inTurn();
};
const inTurn = () => {
  setTimeout(() => requestAnimationFrame(async () => {
    if (performance.now() < plots.until) { inTurn(); return; }
    const all = [...plots.waiting], began = performance.now();
    plots.waiting.clear();
    plots.called = false;
    await Promise.allSettled(all.map((each) => each()));
    plots.until = performance.now() + 2 * (performance.now() - began);
  }), Math.max(0, plots.until - performance.now()));
};
const reserved = box.style.minHeight;
const take = () => {
  if (!props.value) {
    // Nothing to show any more: back to the room that was kept, if any.
    if (pending && window.Plotly) Plotly.purge(box);
    pending = null;
    box.style.minHeight = reserved;
    box.hidden = parseInt(reserved) === 0;
    return;
  }
  box.hidden = false;
  pending = typeof props.value === 'string' ? JSON.parse(props.value) : props.value;
  box.style.minHeight = (pending.layout.height || 300) + 'px';
  request();
};
watch('value', take);
take();
const sizes = new ResizeObserver(() => { if (!element.isConnected) { stop(); } else request(); });
sizes.observe(box);
const theme = new MutationObserver(request);
theme.observe(document.body, {attributes: true, attributeFilter: ['class']});
const stop = () => { sizes.disconnect(); theme.disconnect(); if (window.Plotly) Plotly.purge(box); };
