// The player inside Gradio, and its name on the page.

/** Connects a player to Gradio's gr.HTML: value.scene is a file, `overlay` a prop, the event carries a probe. */
function attach(element, { props, watch, send }) {
  const root = element.querySelector(".fm-player") || element.appendChild(document.createElement("div"));
  const player = new Player(root, { ...(props.options || {}), onProbe: send });
  element.__player = player.probe;
  let shown = null;
  const take = () => {
    const file = props.value && props.value.scene;
    if (!file || file.url === shown) return;
    shown = file.url;
    player.fetch(file.url);
  };
  watch("value", take);
  watch("overlay", () => player.overlay(props.overlay || null));
  take();
  return player;
}

window.FMPlayer = { Player, attach, readScene };
