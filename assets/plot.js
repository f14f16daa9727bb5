/* A Plotly figure that updates in place: Plotly.react at most once per animation frame, and all figures of the page
   together for a third of the time at most: a page on a busy machine stays free to hear its buttons. */
const box = element.querySelector('.fm-plot');
const rest = window.__plotRest ||= {until: 0};
let pending = null, scheduled = false;
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
  const figure = themed(pending), began = performance.now();
  await Plotly.react(box, figure.data, figure.layout, {displayModeBar: false, responsive: true});
  rest.until = performance.now() + 2 * (performance.now() - began);
  box.dataset.drawn = String(Number(box.dataset.drawn || 0) + 1);
};
const request = () => {
  if (scheduled) return;
  scheduled = true;
  inTurn();
};
const inTurn = () => {
  setTimeout(() => requestAnimationFrame(() => {
    if (performance.now() < rest.until) { inTurn(); return; }
    scheduled = false;
    draw();
  }), Math.max(0, rest.until - performance.now()));
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
