"""The note's room in a browser: stored results at once, a run of one's own, and the switch that breaks it."""

import json

import pytest

from fmstudio.learn.experiment import Experiment
from fmstudio.note import CLAIMS
from fmstudio.note.report import Report, from_json
from fmstudio.ui import claims
from fmstudio.ui.visitor import Visitor


@pytest.mark.parametrize("name", ["linear", "spherical"])
def test_the_stored_reports_hold_and_break(name):
    report = from_json(Report, (claims.STORED / name / "note.json").read_text("utf-8"))
    found = {(r.number, r.broken): r for r in report.results}
    assert set(found) == {(number, broken) for number in CLAIMS for broken in (False, True)}
    for (_, broken), result in found.items():
        assert result.verdict is not None
        assert result.verdict.holds is not broken, result.verdict.sentence
    assert report.lineage is not None
    assert Experiment(**report.experiment).path == name


def test_another_experiment_is_told_that_the_figures_are_not_its_own():
    state = Visitor(experiment=Experiment(data="moons"))
    result, own = claims.shown(state, "C6", False)
    assert not own
    assert "default experiment" in claims.outcome_html(result, own)
    assert claims.shown(Visitor(), "C6", False)[1]
    assert claims.shown(Visitor(experiment=Experiment(sample_steps=7)), "C6", False)[1]


def test_a_visitors_run_is_kept_for_this_visitor_alone():
    state = Visitor(experiment=Experiment(coupling="optimal transport"))
    work = claims.run(state, "C5", False)
    with pytest.raises(StopIteration) as end:
        next(work)
    assert "independent" in end.value.value.refusal
    assert claims.shown(state, "C5", False) == (end.value.value, True)
    assert not Visitor().claims


@pytest.mark.browser
@pytest.mark.slow
def test_a_claim_runs_and_breaks_in_the_browser(studio_url, browser):
    page = browser.new_page()
    page.goto(studio_url)
    page.get_by_role("tab", name="The note").click()
    page.wait_for_selector("#panels-C10 svg")
    assert page.locator(".note-verdict").count() == len(CLAIMS)
    page.locator("#break-C4 input").check()
    page.wait_for_selector("#outcome-C4 :text('Does not hold')")
    page.locator("#break-C4 input").uncheck()
    page.wait_for_selector("#outcome-C4 :text('Holds')")
    page.locator("#run-C4").click()
    page.wait_for_selector("#status-C4 progress", state="attached")
    page.wait_for_selector("#stop-C4[disabled]", timeout=120_000)
    page.wait_for_selector("#outcome-C4 :text('Holds')")
    page.close()


@pytest.mark.slow
def test_the_endpoint_runs_one_claim(studio_url):
    from gradio_client import Client

    client = Client(studio_url, verbose=False, analytics_enabled=False)
    found = client.predict({"path": "spherical"}, "C4", False, api_name="/claim")
    found = json.loads(found) if isinstance(found, str) else found
    assert found["number"] == "C4"
    assert Experiment.from_json(found["experiment"]).path == "spherical"
    assert found["verdict"]["holds"]
