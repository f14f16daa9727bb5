"""The note's room in a browser: stored results at once, a run of one's own, what moves, what breaks."""

import json
import math
import re

import pytest

from fmstudio.learn.experiment import Experiment
from fmstudio.note import CLAIMS
from fmstudio.note.report import Report, from_json
from fmstudio.studio import exhibits, note
from fmstudio.studio.session import Visitor
from fmstudio.ui.rooms.note import html as note_html


@pytest.mark.slow
@pytest.mark.parametrize("name", ["linear", "spherical"])
def test_the_stored_reports_hold_and_break(name) -> None:
    report = from_json(Report, (note.STORED / name / "note.json").read_text("utf-8"))
    found = {(r.number, r.broken): r for r in report.results}
    assert set(found) == {(number, broken) for number in CLAIMS for broken in (False, True)}
    for (_, broken), result in found.items():
        assert result.verdict is not None
        assert result.verdict.holds is not broken, result.verdict.sentence
    assert report.lineage is not None
    assert Experiment(**report.experiment).path == name


@pytest.mark.slow
def test_another_experiment_is_told_that_the_figures_are_not_its_own() -> None:
    state = Visitor(experiment=Experiment(data="moons"))
    result, own = note.shown(state, "C6", False)
    assert not own
    assert "default experiment" in note_html.numbers_html(result, own)
    assert "default experiment" in note_html.overview_html(state)
    assert note_html.tab_label(state, "C6") == "C6"
    assert note.shown(Visitor(), "C6", False)[1]
    assert note.shown(Visitor(experiment=Experiment(sample_steps=7)), "C6", False)[1]


@pytest.mark.slow
def test_the_overview_has_every_claim_with_its_prediction_and_its_figure() -> None:
    html = note_html.overview_html(Visitor())
    assert re.findall(r'data-claim="(C\d+)"', html) == list(CLAIMS)
    report = note.stored("linear")
    for result in (r for r in report.results if not r.broken):
        assert result.verdict is not None
        checks = {c.name for c in result.verdict.checks}
        assert set(CLAIMS[result.number].headline) <= checks
    assert html.count("predicted ") >= len(CLAIMS)
    assert note_html.tab_label(Visitor(), "C10") == "C10 ✓"


def test_a_visitors_run_is_kept_for_this_visitor_alone() -> None:
    state = Visitor(experiment=Experiment(coupling="optimal transport"))
    work = note.run(state, "C5", False)
    with pytest.raises(StopIteration) as end:
        next(work)
    assert "independent" in end.value.value.refusal
    assert note.shown(state, "C5", False) == (end.value.value, True)
    assert "independent" in note_html.overview_html(state)
    assert not Visitor().rooms.claims


def test_the_lineage_refuses_where_the_chain_has_no_closed_form() -> None:
    state = Visitor(experiment=Experiment(source="8 gaussians"))
    with pytest.raises(ValueError, match="standard normal"):
        next(note.run_lineage(state))
    assert not note.lineage_of(state)[1]
    assert note.lineage_of(Visitor(experiment=Experiment(path="bow")))[1]


@pytest.mark.slow
@pytest.mark.parametrize("experiment", [Experiment(), Experiment(path="polynomial", data="line mixture")])
def test_exhibits_are_scenes_of_the_visitors_experiment(experiment) -> None:
    state = Visitor(experiment=experiment)
    swaps, drifts = exhibits.swap_room(state, "0.1"), exhibits.drift_room(state, "10")
    assert swaps.dim == drifts.dim == experiment.dim
    # The same snapshots under other names.
    own, other = (pane.positions[-1] for pane in swaps.panes)
    assert sorted(own[:, 0].tolist()) == sorted(other[:, 0].tolist())
    assert not (own == other).all()
    assert (drifts.panes[0].positions[0] == drifts.panes[1].positions[0]).all()


@pytest.mark.slow
def test_a_fit_beside_the_probe_lands_on_u_and_says_where_it_cannot() -> None:
    state = Visitor()
    x, y, t = exhibits.first_point(state)
    found = exhibits.fitted(state, x, y, t)
    assert found.probe.net is not None
    assert float((found.probe.net - found.probe.u).norm()) < 0.15 * math.sqrt(found.probe.var)
    far = exhibits.fitted(state, 20.0, 20.0, 0.5)
    assert far.probe.net is None
    assert "too few" in note_html.probe_panel_html(far)


@pytest.mark.browser
@pytest.mark.slow
def test_a_claim_runs_and_breaks_in_the_browser(studio_url, browser) -> None:
    page = browser.new_page()
    page.goto(studio_url)
    page.get_by_role("tab", name="The note").click()
    page.wait_for_selector(".note-row[data-claim=C10]")
    page.locator(".note-row[data-claim=C4]").click()
    page.wait_for_selector("#panels-C4 svg")
    page.locator("#break-C4 input").check()
    page.wait_for_selector("#outcome-C4 :text('Does not hold')")
    page.locator("#break-C4 input").uncheck()
    page.wait_for_selector("#outcome-C4 :text('Holds')")
    page.locator("#run-C4").click()
    page.wait_for_selector("#status-C4 progress", state="attached")
    page.wait_for_selector("#stop-C4[disabled]", timeout=120_000)
    page.wait_for_selector("#outcome-C4 :text('Holds')")
    zoom = page.locator("#panels-C4 .note-stages").first
    zoom.locator("label", has_text="× 100").first.click()
    assert zoom.locator(".stage:visible").count() == 1
    assert "0.006 of time" in zoom.locator(".stage:visible").inner_text()
    page.close()


@pytest.mark.browser
@pytest.mark.slow
def test_a_particle_is_followed_and_a_point_answers_in_the_browser(studio_url, browser) -> None:
    page = browser.new_page()
    page.set_default_timeout(90_000)
    page.goto(studio_url)
    page.get_by_role("tab", name="The note").click()
    page.wait_for_selector(".note-row")
    player = "document.querySelector('#player-{} .fm-player').__player"
    page.locator("#page-C3-button").first.click()
    page.wait_for_function(
        f"document.querySelector('#player-C3 .fm-player') && {player.format('C3')}.particles"
    )
    assert page.evaluate(f"{player.format('C3')}.followed") == [0, 1]
    view = page.locator("#player-C3 .fm-view").first
    page.evaluate(f"{player.format('C3')}.player.setPlaying(false)")
    page.evaluate(f"{player.format('C3')}.player.seek(1)")
    view.click()
    page.wait_for_function(f"{player.format('C3')}.followed[0] === 1")
    page.locator("#choice-C3 label", has_text="anyone").click()
    page.wait_for_function(f"{player.format('C3')}.loads === 2")
    assert len(page.evaluate(f"{player.format('C3')}.followed")) == 2

    page.locator("#page-C5-button").first.click()
    page.wait_for_function(
        f"document.querySelector('#player-C5 .fm-player') && {player.format('C5')}.answered?.net",
        timeout=60_000,
    )
    assert abs(page.evaluate(f"{player.format('C5')}.t") - 0.5) < 0.01
    assert "fitted drift" in page.locator("#probe-C5").inner_text()
    page.close()


@pytest.mark.slow
def test_the_endpoint_runs_one_claim(studio_url) -> None:
    from gradio_client import Client

    client = Client(studio_url, verbose=False, analytics_enabled=False)
    found = client.predict({"path": "spherical"}, "C4", False, api_name="/claim")
    found = json.loads(found) if isinstance(found, str) else found
    assert found["number"] == "C4"
    assert Experiment.from_json(found["experiment"]).path == "spherical"
    assert found["verdict"]["holds"]
