"""The player in a real browser: one small page, read through the probe the player keeps on its element."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import gradio as gr
import numpy as np
import pytest
from PIL import Image

from fmstudio.plots.scene.file import encode
from fmstudio.plots.scene.offline import offline_page
from fmstudio.plots.scene.scene import Arrows, Curve, Curves, Pane, Scene
from fmstudio.ui.player import Answer, Player, Probe, cache_scene, read_probe

# Gradio's own: its queue report uses what pandas has deprecated; its search for a port leaves sockets open.
pytestmark = [
    pytest.mark.filterwarnings("ignore::pandas.errors.Pandas4Warning"),
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
]

PROBE = "document.querySelector('#main .fm-player').__player"


def small_scene(count: int = 200, seed: int = 0, dim: int = 2, panes: int = 2) -> Scene:
    random = np.random.default_rng(seed)
    times = np.linspace(1, 0, 21)
    x1, x0 = random.normal(size=(2, count, dim))
    positions = (1 - times)[:, None, None] * x0 + times[:, None, None] * x1
    arrows = Arrows(random.normal(size=(9, 2)), random.normal(size=(21, 9, 2)))
    lines = np.stack([x1, x0], axis=1)[:30] if dim == 2 else None
    made = [
        Pane("Q", "partners", positions, lines=lines, arrows=arrows),
        Pane("P", "mean", positions[:, ::-1]),
    ]
    curves = Curves("distance", "of p_t and q_t", (Curve("exact", times**2, "exact"),))
    labels = (x0[:, 0] > 0).astype(int)
    return Scene(times, tuple(made[:panes]), 1 - times, times, (-4, 4, -4, 4), labels, curves, dim)  # type: ignore[arg-type]


def build_page(backend: str | None) -> gr.Blocks:
    with gr.Blocks(analytics_enabled=False) as page:
        player = Player(small_scene(), elem_id="main", backend=backend)
        other, line = gr.Button("another scene"), gr.Button("one dimension")
        said = gr.Textbox(label="said")
        again = gr.Number(0, label="again")

        def answer(event: gr.EventData) -> tuple[Any, str]:
            probe = read_probe(event)
            place = np.array([probe.x, probe.y])
            step = np.array([1.0, 0.0])
            paths = np.stack([place - step, place, place + step])[None]
            shown = Answer(probe, paths=paths, fan=[[1.0, 0.0]], u=[1.0, 0.5], net=[0.9, 0.4], var=0.2)
            return Player(overlay=shown.to_json()), f"{probe.pane} {probe.x:.2f} {probe.y:.2f} {probe.t:.2f}"

        player.probe(answer, None, [player, said])
        other.click(lambda: small_scene(300, seed=1), None, player)
        line.click(lambda: small_scene(dim=1), None, player)

        @gr.render(inputs=again)
        def spare(number: float) -> None:
            Player(small_scene(20, seed=int(number)), elem_id="spare", backend=backend)

    return page


def serve(backend: str | None) -> Iterator[str]:
    page = build_page(backend)
    _, url, _ = page.launch(prevent_thread_lock=True, quiet=True, inbrowser=False)
    yield url
    page.close()


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    yield from serve(None)


def opened(browser: Any, url: str, **context: Any) -> Any:
    page = browser.new_context(viewport={"width": 1200, "height": 1000}, **context).new_page()
    page.problems = []
    page.on("pageerror", lambda error: page.problems.append(str(error)))
    page.on("console", lambda m: page.problems.append(m.text) if m.type == "error" else None)
    page.goto(url)
    page.wait_for_function("document.querySelector('#main .fm-player')?.__player?.loads === 1")
    return page


@pytest.fixture
def page(browser: Any, url: str) -> Iterator[Any]:
    page = opened(browser, url)
    yield page
    assert page.problems == []
    page.context.close()


def read(page: Any, name: str) -> Any:
    return page.evaluate(f"{PROBE}.{name}")


def wait(page: Any, condition: str) -> None:
    page.wait_for_function(condition.replace("P.", f"{PROBE}."))


def pause(page: Any) -> None:
    page.locator("#main").get_by_role("button", name="Pause").click()
    wait(page, "!P.playing")


@pytest.mark.browser
def test_plays_pauses_and_scrubs(page: Any) -> None:
    assert read(page, "playing")
    assert read(page, "particles") == 200
    wait(page, "P.frame >= 2")
    pause(page)
    count = read(page, "count")
    slider = page.locator("#main").get_by_label("Time, from noise to data")
    slider.fill("0.57")
    wait(page, "Math.abs(P.t - 0.43) < 1e-6")
    page.wait_for_function("document.querySelector('#main .fm-clock').innerText === 't = 0.43'")
    assert read(page, "frame") == 11
    assert read(page, "count") > count
    page.locator("#main").get_by_label("One frame forward, towards data").click()
    wait(page, "Math.abs(P.t - 0.40) < 1e-6")


@pytest.mark.browser
def test_draws_without_webgl_and_says_so(page: Any) -> None:
    assert read(page, "backend") == "canvas2d"
    assert page.locator("#main .fm-badge").inner_text() == "Canvas 2D"
    pause(page)
    # The particles are really there: many pixels of the base canvas are coloured.
    inked = page.evaluate(
        """() => {
        const c = document.querySelector('#main .fm-base');
        const d = c.getContext('2d').getImageData(0, 0, c.width, c.height).data;
        let n = 0;
        for (let i = 0; i < d.length; i += 4) {
          const rgb = [d[i], d[i + 1], d[i + 2]];
          if (d[i + 3] && Math.max(...rgb) - Math.min(...rgb) > 40) n++;
        }
        return n; }"""
    )
    assert inked > 500


@pytest.mark.browser
def test_keyboard(page: Any) -> None:
    page.locator("#main .fm-view").first.hover()
    page.keyboard.press("Space")
    wait(page, "!P.playing")
    page.keyboard.press("End")
    wait(page, "P.t === 0")
    page.keyboard.press("ArrowLeft")
    wait(page, "Math.abs(P.t - 0.05) < 1e-6")
    page.keyboard.press("Home")
    wait(page, "P.t === 1")
    page.keyboard.press("ArrowRight")
    wait(page, "Math.abs(P.t - 0.95) < 1e-6")
    page.keyboard.press("Space")
    wait(page, "P.playing")
    # A button that was clicked does not take the space bar for itself.
    page.locator("#main").get_by_role("button", name="trails").click()
    trails = page.evaluate(f"{PROBE}.player.layers.trails")
    page.keyboard.press("Space")
    wait(page, "!P.playing")
    assert page.evaluate(f"{PROBE}.player.layers.trails") == trails
    # Away from the player the keys are the page's own.
    page.get_by_role("spinbutton", name="again").click()
    playing = read(page, "playing")
    page.keyboard.press("Space")
    assert read(page, "playing") == playing


@pytest.mark.browser
def test_a_click_probes_and_the_answer_is_drawn(page: Any) -> None:
    pause(page)
    page.evaluate(f"{PROBE}.player.seek(0.5)")
    box = page.locator("#main .fm-view").nth(1).bounding_box()
    page.mouse.click(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    page.wait_for_function("document.querySelector('textarea').value.startsWith('1 ')")
    pane, x, y, t = (float(v) for v in page.get_by_label("said").input_value().split())
    assert (pane, t) == (1, 0.5)
    assert abs(x) < 0.02
    assert abs(y) < 0.02
    wait(page, "P.answered && P.answered.u[1] === 0.5")
    assert read(page, "loads") == 1


@pytest.mark.browser
def test_the_keyboard_probes_too(page: Any) -> None:
    pause(page)
    page.locator("#main .fm-view").first.focus()
    for key in ("Enter", "ArrowUp", "Enter"):
        page.keyboard.press(key)
    page.wait_for_function("document.querySelector('textarea').value.startsWith('0 ')")
    assert float(page.get_by_label("said").input_value().split()[2]) > 0


@pytest.mark.browser
def test_a_new_scene_keeps_clock_and_layout(page: Any) -> None:
    pause(page)
    page.evaluate(f"{PROBE}.player.seek(0.3)")
    before = page.locator("#main .fm-stage").bounding_box()
    over = f"{PROBE}.player.over.getContext('2d').miterLimit"
    page.evaluate(f"{over} = 3")
    page.get_by_role("button", name="another scene").click()
    wait(page, "P.loads === 2")
    # The canvas of axes and marks was not set back: one that is only cleared then may go on showing them.
    assert page.evaluate(over) == 3
    assert read(page, "particles") == 300
    assert read(page, "t") == pytest.approx(0.3)
    assert not read(page, "playing")
    assert page.locator("#main .fm-stage").bounding_box() == before
    page.get_by_role("button", name="one dimension").click()
    wait(page, "P.loads === 3")
    assert read(page, "view") == "space-time"


@pytest.mark.browser
def test_a_slow_renderer_gives_way_after_a_choice(page: Any) -> None:
    """For a moment only, and not once the scene has come."""
    frames = page.evaluate(
        """async () => {
          const probe = PROBE, player = probe.player;
          const wait = (ms) => new Promise((next) => setTimeout(next, ms));
          const drawn = async (ms) => {
            const before = probe.count;
            await wait(ms);
            return probe.count - before;
          };
          const draw = player.draw.bind(player);
          player.draw = () => { draw(); player.cost = 50; };
          const choose = () => document.body.dispatchEvent(new Event("change", { bubbles: true }));
          await wait(300);
          choose();
          await wait(50);
          const held = await drawn(250), later = await drawn(1000);
          choose();
          const named = (button) => button.textContent.includes("another scene");
          [...document.querySelectorAll("button")].find(named).click();
          const loads = probe.loads;
          while (probe.loads === loads) await wait(5);
          return { held, later, waits: player.waits };
        }""".replace("PROBE", PROBE)
    )
    assert frames["held"] == 0
    assert frames["later"] > 0
    assert frames["waits"] == 0


@pytest.mark.browser
def test_layers_colours_views_and_curves(page: Any) -> None:
    pause(page)
    main = page.locator("#main")
    for name in ("particles", "trails", "original lines", "marginal", "velocity arrows"):
        chip = main.get_by_role("button", name=name, exact=True)
        was = chip.get_attribute("aria-pressed")
        chip.click()
        assert chip.get_attribute("aria-pressed") != was
    for colour in ("class", "start", "end", "identity", "plain"):
        main.get_by_label("Colour by").select_option(colour)
    main.get_by_role("button", name="space–time").click()
    assert read(page, "view") == "space-time"
    main.get_by_label("Coordinate shown against time").select_option("1")
    strip = main.locator(".fm-strip canvas").bounding_box()
    page.mouse.click(strip["x"] + strip["width"] - 7, strip["y"] + 40)
    wait(page, "P.t < 0.01")
    page.wait_for_function("document.querySelector('#main .fm-legend b').innerText === '0.00'")
    # Nothing that a view cannot show is offered in it.
    assert not main.get_by_role("button", name="velocity arrows").is_visible()


@pytest.mark.browser
def test_the_clock_is_heard_on_the_window(page: Any) -> None:
    pause(page)
    page.evaluate("() => { window.heard = []; addEventListener('fm-clock', (e) => heard.push(e.detail)); }")
    page.evaluate(f"{PROBE}.player.seek(0.25)")
    page.wait_for_function("heard.some((d) => d.id === 'main' && d.t === 0.25)")
    detail = page.evaluate("heard.filter((d) => d.id === 'main').at(-1)")
    assert detail["a"] == pytest.approx(0.75, abs=1e-5)
    assert detail["b"] == pytest.approx(0.25, abs=1e-5)


@pytest.mark.browser
def test_theme_and_narrow_pages(page: Any) -> None:
    pause(page)
    pixel = """() => { const c = document.querySelector('#main .fm-base');
        return [...c.getContext('2d').getImageData(30, 60, 1, 1).data]; }"""
    page.evaluate("document.body.classList.remove('dark')")
    page.evaluate(f"{PROBE}.player.draw()")
    light = page.evaluate(pixel)
    page.evaluate("document.body.classList.add('dark')")
    wait(page, "P.player.theme.dark")
    page.evaluate(f"{PROBE}.player.draw()")
    assert sum(page.evaluate(pixel)[:3]) < 150 < sum(light[:3])
    page.set_viewport_size({"width": 390, "height": 900})
    wait(page, "P.player.root.classList.contains('fm-narrow')")
    views = page.locator("#main .fm-view")
    first, second = views.nth(0).bounding_box(), views.nth(1).bounding_box()
    assert second["y"] > first["y"] + first["height"]
    assert page.evaluate("document.documentElement.scrollWidth - innerWidth") <= 0


@pytest.mark.browser
@pytest.mark.parametrize(("height", "curves"), [(480, False), (1000, True)])
def test_full_screen_shows_every_pane_whole(page: Any, height: int, curves: bool) -> None:
    page.set_viewport_size({"width": 853, "height": height})
    page.locator("#main").get_by_label("Full screen").click()
    page.wait_for_function("document.fullscreenElement === P.player.root".replace("P", PROBE))
    page.wait_for_function(
        f"document.querySelector('#main .fm-strip').checkVisibility() === {str(curves).lower()}"
    )
    panes, chips = page.locator("#main .fm-pane").first, page.locator("#main .fm-chips")
    assert panes.bounding_box()["y"] >= 0
    assert page.locator("#main .fm-view").first.bounding_box()["height"] > 0.45 * height
    assert chips.bounding_box()["y"] + chips.bounding_box()["height"] <= height


@pytest.mark.browser
def test_reduced_motion_starts_paused(browser: Any, url: str) -> None:
    page = opened(browser, url, reduced_motion="reduce")
    assert not read(page, "playing")
    assert read(page, "t") == 1
    page.context.close()


@pytest.mark.browser
def test_recreated_players_are_disposed(page: Any) -> None:
    page.wait_for_selector("#spare .fm-player")
    page.evaluate("window.spares = []")
    for number in range(1, 5):
        page.evaluate("spares.push(document.querySelector('#spare .fm-player').__player)")
        page.get_by_role("spinbutton", name="again").fill(str(number))
        page.wait_for_function(
            "document.querySelector('#spare .fm-player')?.__player?.player !== spares.at(-1).player"
        )
        page.wait_for_function("document.querySelector('#spare .fm-player')?.__player?.loads === 1")
    page.wait_for_function("spares.length === 4 && spares.every((p) => p.disposed)")


@pytest.mark.browser
def test_exports(page: Any, browser: Any, tmp_path: Path) -> None:
    pause(page)
    main = page.locator("#main")

    def exported(name: str) -> Path:
        main.get_by_role("button", name="Export").click()
        with page.expect_download() as download:
            main.get_by_role("menuitem", name=name).click()
        target = tmp_path / download.value.suggested_filename
        download.value.save_as(target)
        return target

    assert exported("Picture").read_bytes()[:8] == b"\x89PNG\r\n\x1a\n"
    page.locator("#main").get_by_role("button", name="velocity arrows").click()
    page.locator("#main").get_by_label("colour").select_option("start")
    offline = exported("Offline player")
    plays_offline(browser, offline)
    # What was on screen is on screen there.
    options = offline.read_text("utf-8").rsplit('module: "offline", given: ', 1)[1]
    assert '"colour":"start"' in options
    assert '"arrows"' in options

    # The animation ends where the picture of the last moment is, to the coarseness of 255 colours.
    page.locator("#main").get_by_label("Time, from noise to data").fill("1")
    wait(page, "P.t === 0")
    with Image.open(exported("Animation")) as moving, Image.open(exported("Picture")) as last:
        assert moving.n_frames == 40
        first = np.asarray(moving.convert("RGB"), float)
        moving.seek(39)
        end = np.asarray(moving.convert("RGB"), float)
        still = np.asarray(last.convert("RGB").resize(moving.size), float)
    assert np.abs(end - still).mean() < 4
    assert np.abs(end - still).mean() < 0.5 * np.abs(first - still).mean()
    assert read(page, "t") == 0


@pytest.mark.browser
def test_offline_page_from_python_plays(browser: Any, tmp_path: Path) -> None:
    target = tmp_path / "scene.html"
    target.write_text(offline_page(small_scene()), "utf-8")
    plays_offline(browser, target)


@pytest.mark.browser
def test_the_marginal_fades_where_a_wide_pane_goes_on_beyond_it(browser: Any, tmp_path: Path) -> None:
    # Uniform up to the ends of the plane, where its shade would stop at once.
    times = np.linspace(1, 0, 3)
    cloud = np.random.default_rng(0).uniform(-4, 4, size=(20_000, 2))
    pane = Pane("Q", "", np.stack([cloud] * 3))
    target = tmp_path / "wide.html"
    target.write_text(offline_page(Scene(times, (pane,), 1 - times, times, (-4, 4, -4, 4))), "utf-8")
    page = browser.new_page(viewport={"width": 1300, "height": 900})
    page.goto(target.as_uri())
    page.wait_for_function("document.querySelector('.fm-player')?.__player?.count >= 2")
    shade = page.evaluate(
        """() => {
        const { player } = document.querySelector(".fm-player").__player, [x, y, w, h] = player.views[0].rect;
        player.setPlaying(false);
        player.layers = { field: true };
        player.draw();
        const row = player.base.getContext("2d").getImageData(x, y + Math.round(h / 2), w, 1).data;
        return Array.from({ length: w }, (_, i) => row[4 * i]); }"""
    )
    page.close()
    ink = shade[0] - np.array(shade, float)
    assert ink[0] == ink[-1] == 0
    assert ink.max() > 15
    assert np.abs(np.diff(ink)).max() < 0.2 * ink.max()


def plays_offline(browser: Any, file: Path) -> None:
    page = browser.new_context(offline=True).new_page()
    problems: list[str] = []
    page.on("pageerror", lambda error: problems.append(str(error)))
    page.goto(file.as_uri())
    page.wait_for_function("document.querySelector('.fm-player')?.__player?.frame >= 2")
    assert problems == []
    page.context.close()


@pytest.mark.browser
@pytest.mark.slow
def test_webgl_draws_and_leaks_no_contexts(browser: Any) -> None:
    server = serve("webgl2")
    address = next(server)
    path = shutil.which("chromium") or shutil.which("google-chrome")
    flags = ["--no-sandbox", "--use-angle=swiftshader", "--enable-unsafe-swiftshader", "--disable-quic"]
    chromium = browser.browser_type.launch(executable_path=path, args=flags)
    page = opened(chromium, address)
    page.set_default_timeout(60_000)
    warnings: list[str] = []
    page.on("console", lambda m: warnings.append(m.text) if "context" in m.text.lower() else None)
    assert read(page, "backend") == "webgl2"
    wait(page, "P.frame >= 1")
    drawn, error = page.evaluate(
        f"""() => {{
        const p = {PROBE}.player, gl = p.renderer.gl, [w, h] = p.size, d = new Uint8Array(4 * w * h);
        p.draw();
        gl.readPixels(0, 0, w, h, gl.RGBA, gl.UNSIGNED_BYTE, d);
        let n = 0;
        for (let i = 0; i < d.length; i += 4) if (d[i + 3] > 100) n++;
        return [n, gl.getError()]; }}"""
    )
    assert drawn > 500
    assert error == 0
    page.evaluate(f"{PROBE}.player.setPlaying(false)")
    # 24 more players on one page: the browser keeps 16 contexts, so leaked ones would take the first away.
    disposed = page.evaluate(
        f"""async () => {{
        const held = [], first = {PROBE}.player, Player = first.constructor;
        for (let i = 0; i < 24; i++) {{
          const root = document.body.appendChild(document.createElement("div"));
          root.style.width = "300px";
          const player = new Player(root, {{ backend: "webgl2" }});
          player.setPlaying(false);
          player.load(first.scene.buffer.slice(0));
          player.draw();
          held.push(player);
          root.remove();
          await new Promise((done) => setTimeout(done, 30));
        }}
        const lost = (player) => player.renderer.gl.isContextLost();
        return [held.every((p) => p.gone), held.every(lost), lost(first)]; }}"""
    )
    assert disposed == [True, True, False]
    assert [text for text in warnings if "too many" in text.lower()] == []
    # A context that is taken away is answered with the 2-D canvas.
    page.evaluate(f"{PROBE}.player.renderer.gl.getExtension('WEBGL_lose_context').loseContext()")
    wait(page, "P.backend === 'canvas2d'")
    assert page.problems == []
    chromium.close()
    server.close()


def test_probe_events_are_checked() -> None:
    good = {"pane": 1, "x": 0.5, "y": -0.25, "t": 0.4}
    assert read_probe(gr.EventData(None, good)) == Probe(1, 0.5, -0.25, 0.4)
    for bad in (
        {"pane": 3},
        {"pane": "0"},
        {"pane": True},
        {"x": "1"},
        {"x": float("nan")},
        {"y": None},
        {"t": 1.5},
        {"x": 1e9},
    ):
        with pytest.raises(ValueError, match="probe"):
            read_probe(gr.EventData(None, good | bad))
    with pytest.raises(ValueError, match="probe"):
        read_probe(gr.EventData(None, None))


def test_answers_carry_only_what_is_known() -> None:
    probe = Probe(0, 0.0, 0.0, 0.5)
    assert set(Answer(probe).to_json()) == {"pane", "x", "y", "t", "pathPane", "opens"}
    assert Answer(probe, u=np.array([1 / 3, 2.0])).to_json()["u"] == [0.3333, 2.0]
    with pytest.raises(ValueError, match="finite"):
        Answer(probe, u=[np.inf, 0.0]).to_json()


def test_the_same_scene_is_stored_once(tmp_path: Path) -> None:
    data = encode(small_scene())
    first, second = cache_scene(data, tmp_path), cache_scene(data, tmp_path)
    assert first == second
    assert first.read_bytes() == data
    assert cache_scene(encode(small_scene(seed=5)), tmp_path) != first
    assert sorted(tmp_path.rglob("*")) == sorted([first, cache_scene(encode(small_scene(seed=5)), tmp_path)])


def test_no_stub_is_written_beside_the_source() -> None:
    import fmstudio.ui.player as module

    assert module.__file__ is not None
    assert not Path(module.__file__).with_suffix(".pyi").exists()
