"""The engine in Chromium: a Worker of the page's own script, WebGL in software, and the choice among them."""

from __future__ import annotations

import importlib.util
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch

from fmstudio.flow.solve.solvers import integrate, path_times
from fmstudio.flow.solve.tableaux import HEUN, SOLVERS
from fmstudio.learn.build import path_of, source_of
from fmstudio.plots import script

HERE = Path(__file__).parent
FLAGS = ["--no-sandbox", "--use-angle=swiftshader", "--enable-unsafe-swiftshader", "--disable-quic"]

spec = importlib.util.spec_from_file_location("live_laws", HERE / "test_live_laws.py")
assert spec is not None
assert spec.loader is not None
laws = sys.modules.setdefault(spec.name, importlib.util.module_from_spec(spec))
spec.loader.exec_module(laws)

pytestmark = pytest.mark.browser


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """A page of the engine's one script, from a file, without a network."""
    from playwright.sync_api import sync_playwright

    folder = tmp_path_factory.mktemp("page")
    shutil.copytree(script.FOLDER, folder / "js")
    shutil.copy(HERE / "live_page.js", folder / "js")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(script, "FOLDER", folder / "js")
        patch.setattr(script, "GIVEN", folder / "js" / "given.js")
        made = script.linked(folder / "js" / "live_page.js")
    (folder / "page.html").write_text(f"<!doctype html><script>{made}</script>", "utf-8")
    with sync_playwright() as playwright:
        path = shutil.which("chromium") or shutil.which("google-chrome")
        chromium = playwright.chromium.launch(executable_path=path, args=FLAGS)
        opened, errors = chromium.new_page(), []
        opened.on("pageerror", lambda error: errors.append(str(error)))
        opened.goto((folder / "page.html").as_uri())
        yield opened
        chromium.close()
    assert errors == []


def on(page: Any, wanted: str | None, work: str, given: Any = None) -> Any:
    """What a function of an engine that computes there, and of what is given, comes to."""
    return page.evaluate(
        f"""async ([wanted, given]) => {{
          const engine = new tests.Engine({{ wanted, longest: 1e6 }}), where = await engine.ready;
          if (wanted && where !== wanted) throw new Error(`${{where}}: ${{JSON.stringify(engine.why)}}`);
          try {{ return await ({work})(engine, given); }} finally {{ engine.dispose(); }}
        }}""",
        [wanted, given],
    )


# An engine that sends even small jobs to the place.
AWAY = "engine.placeFor = () => engine.where;"
VELOCITIES = f"""async (engine, given) => {{
  {AWAY}
  const found = [];
  for (const one of given) found.push(await tests.velocities(engine, one));
  return found;
}}"""


@pytest.mark.slow
def test_a_card_sums_as_the_oracle(page: Any) -> None:
    every = laws.cases()
    for case, u in zip(every, on(page, "GPU", VELOCITIES, [case.given() for case in every]), strict=True):
        laws.check(case, u, 1e-3, 1e-3)


@pytest.mark.slow
@pytest.mark.parametrize("where", ["GPU", "worker"])
def test_a_net_answers_as_in_torch(page: Any, where: str) -> None:
    every = laws.net_cases()
    answers = on(page, where, VELOCITIES, [case for case, _ in every])
    for (case, exact), answer in zip(every, answers, strict=True):
        for u, answered in zip(exact, answer, strict=True):
            apart = (laws._points(answered, u.shape[1]) - u.double()).norm(dim=1)
            assert float((apart / u.norm(dim=1).clamp(min=1)).max()) < (1e-3 if where == "GPU" else 1e-4), (
                case["law"]["net"]
            )


@pytest.mark.slow
@pytest.mark.parametrize("where", ["GPU", "worker", "page"])
def test_particles_end_where_every_solver_puts_them(page: Any, where: str) -> None:
    some, given, starts = laws.cases()[::40], [], []
    solvers = list(SOLVERS.values())
    for k, case in enumerate(some):
        draws, steps = laws.generator(k), 100 if k % 2 else 12
        x0 = case.data.sample(5, draws).points
        x1 = source_of(case.experiment).sample(5, draws).points
        path, times = path_of(case.experiment), path_times(steps, dtype=torch.float64)
        start = path.position(x0, x1, torch.tensor(1.0), path.latent(x0, draws)).float().double()
        tableau = HEUN if k % 2 else solvers[k // 2 % len(solvers)]
        starts.append((start, times, tableau))
        job = {"start": laws._flat(start), "knots": times.tolist(), "tableau": laws._tableau(tableau)}
        given.append({"law": case.given()["law"]} | job)
    work = f"""async (engine, given) => {{
      {AWAY}
      const found = [];
      for (const one of given) found.push(await tests.followed(engine, one));
      return found;
    }}"""
    for case, (start, times, tableau), answer in zip(some, starts, on(page, where, work, given), strict=True):
        exact = integrate(case.velocity, start, times, tableau).positions
        scale = float(case.data.covariance.trace().sqrt())
        assert (answer["where"], answer["ended"], len(answer["told"])) == (where, True, len(times))
        for x, row in zip(exact, answer["told"], strict=True):
            apart = (laws._points(row, start.shape[1]) - x).norm(dim=1)
            assert float(apart.max()) < 1e-3 * scale, (case.experiment.changes(), case.guidance, tableau.name)


JOB = """const job = (points, particles, steps) => ({
  law: { kind: "cloud", path: { a: "1-t", b: "t", gamma_squared: "0", numbers: {} },
    data: Float32Array.from({ length: 2 * points }, (_, i) => Math.sin(i * i)),
    source: [{ weight: 1, mean: [0, 0], covariance: [1, 0, 0, 1] }] },
  start: Float32Array.from({ length: 2 * particles }, (_, i) => Math.cos(i * i)),
  knots: Array.from({ length: steps + 1 }, (_, k) => 1 - k / steps),
  tableau: { a: [[], [1]], b: [0.5, 0.5], c: [0, 1] },
});"""


def test_software_is_never_chosen_by_itself(page: Any) -> None:
    where, why = on(page, None, "(engine) => [engine.where, engine.why.GPU]")
    assert where == "worker"
    assert "WebGL" in why


@pytest.mark.slow
@pytest.mark.parametrize("where", ["GPU", "worker", "page"])
def test_a_newer_job_takes_the_place_of_an_older(page: Any, where: str) -> None:
    first, second, mixed, last = on(
        page,
        where,
        f"""async (engine) => {{
          {JOB}
          {AWAY}
          const came = [], one = engine.follow("a", job(400, 300, 60), (k) => came.push("old"));
          await new Promise((done) => setTimeout(done, 30));
          const two = engine.follow("a", job(50, 40, 5), (k) => came.push(k));
          const ended = [await one.done, await two.done];
          const after = came.slice(came.indexOf(0));
          return [...ended, after.includes("old"), after.at(-1)];
        }}""",
    )
    assert (first, second, mixed, last) == (False, True, False, 5)


@pytest.mark.slow
def test_knots_come_while_later_ones_are_computed_and_the_page_stays_awake(page: Any) -> None:
    for where in ("worker", "page"):
        early, turns = on(
            page,
            where,
            f"""async (engine) => {{
              {JOB}
              {AWAY}
              const times = [], since = performance.now();
              let turns = 0;
              const watch = setInterval(() => turns++);
              await engine.follow("a", job(2000, 300, 20), () => times.push(performance.now() - since)).done;
              clearInterval(watch);
              return [times[5] / times[20], turns];
            }}""",
        )
        assert early < 0.6
        # Whatever else waits for the page has its turns meanwhile.
        assert turns > 5


def test_a_cloud_that_takes_too_long_is_refused_or_thinned_while_it_is_dragged(page: Any) -> None:
    refused, milliseconds, thin, again, small = on(
        page,
        "worker",
        f"""async (engine) => {{
          {JOB}
          engine.longest = 500;
          const large = job(20000, 500, 30), places = [];
          const course = engine.follow("a", large, () => places.push(0));
          const drag = async (seed) => {{
            const found = [], told = (k, x) => (found[k] = x);
            const {{ standIn, done }} = engine.follow("a", large, told, {{ dragging: true, seed }});
            return [standIn, await done, found.length, [...found.at(-1).subarray(0, 20)].join()];
          }};
          const thin = [await drag(1), await drag(1), await drag(2)];
          const {{ standIn, done }} = engine.follow("a", job(100, 100, 5), () => {{}}, {{ dragging: true }});
          await done;
          return [course.where, course.milliseconds, thin, places.length, standIn];
        }}""",
    )
    assert (refused, again, small) == ("cannot", 0, False)
    assert milliseconds > 500
    assert all(row[:3] == [True, True, 31] for row in thin)
    assert thin[0] == thin[1] != thin[2]


def test_what_fails_in_a_worker_is_said(page: Any) -> None:
    said = on(
        page,
        "worker",
        f"""async (engine) => {{
          {JOB}
          {AWAY}
          const broken = job(10, 10, 2);
          broken.law.path = {{ a: "1-", b: "t", gamma_squared: "0", numbers: {{}} }};
          return engine.follow("a", broken, () => {{}}).done.catch((error) => error.message);
        }}""",
    )
    assert "ends too early" in said


@pytest.mark.slow
def test_a_card_that_is_taken_away_leaves_the_job_to_another(page: Any) -> None:
    first, ended, last, then = on(
        page,
        "GPU",
        f"""async (engine) => {{
          {JOB}
          const came = [], {{ where, done }} = engine.follow("a", job(500, 600, 40), (k) => came.push(k));
          engine.ends.GPU.gl.getExtension("WEBGL_lose_context").loseContext();
          return [where, await done, came.at(-1), engine.where];
        }}""",
    )
    assert (first, ended, last, then) == ("GPU", True, 40, "worker")


@pytest.mark.slow
def test_a_card_that_sums_wrongly_is_refused(page: Any) -> None:
    where, why = page.evaluate(
        """async () => {
          const draw = WebGL2RenderingContext.prototype.uniform1f;
          WebGL2RenderingContext.prototype.uniform1f = function (at, x) { draw.call(this, at, 1.01 * x); };
          const engine = new tests.Engine({ wanted: "GPU" }), where = await engine.ready;
          WebGL2RenderingContext.prototype.uniform1f = draw;
          engine.dispose();
          return [where, engine.why.GPU];
        }"""
    )
    assert where == "worker"
    assert "wrong" in why
