// The player inside Gradio, and its name on the page.

const players = new Set();

/** Resolves when no player waits for a scene and the newest moves, at the latest after a second. */
async function idle() {
  const wait = (milliseconds) => new Promise((next) => setTimeout(next, milliseconds));
  const until = performance.now() + 1000, waits = () => [...players].some((player) => player.loading);
  for (const player of players) if (player.gone) players.delete(player);
  if (!waits()) return;
  while (performance.now() < until && waits()) await wait(20);
  await wait(80);
}

document.addEventListener("change", () => players.forEach((player) => player.giveWay()), true);

/** Connects a player to Gradio's gr.HTML: value.scene is a file, `overlay` a prop, the event carries a probe. */
function attach(element, { props, watch, send }) {
  const root = element.querySelector(".fm-player") || element.appendChild(document.createElement("div"));
  const player = new Player(root, { ...JSON.parse(decodeURIComponent(root.dataset.options || "%7B%7D")), onProbe: send });
  element.__player = player.probe;
  players.add(player);
  let shown = null;
  const take = () => {
    const file = props.value && props.value.scene;
    if (!file || file.url === shown) return;
    shown = file.url;
    player.fetch(file.url);
  };
  // An answer that opens a scene comes with it, before or after, and waits until it is there.
  const lay = () => {
    if (props.overlay === undefined) return;
    const answer = props.overlay, key = answer && [answer.pane, answer.x, answer.y, answer.t].join();
    if (key === player.laid) return;
    player.laid = key;
    if (!answer?.opens) return player.overlay(answer);
    player.later = answer;
    setTimeout(() => !player.loading && player.scene && player.open(), 100);
  };
  watch("value", () => (take(), lay()));
  watch("overlay", () => (take(), lay()));
  take();
  lay();
  return player;
}

window.FMPlayer = { Player, attach, readScene, idle };
