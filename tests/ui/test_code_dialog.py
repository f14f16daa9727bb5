"""Get code: the dialog shows the visitor's experiment as a script, hands it out, and closes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from fmstudio.learn.experiment import Experiment
from fmstudio.learn.export import script
from fmstudio.studio.session import Visitor
from fmstudio.ui.code_dialog import written


def test_it_holds_the_script_of_the_visitor() -> None:
    experiment = Experiment(data="rings", path="spiral")
    assert written(Visitor(experiment))[0] == script(experiment)


def test_an_experiment_without_a_script_is_answered_in_words() -> None:
    code, said = written(Visitor(Experiment(data="checkerboard", conditional=True)))
    assert code == ""
    assert "classes" in said


@pytest.mark.browser
@pytest.mark.slow
def test_it_opens_saves_and_closes(browser: Any, studio_url: str, tmp_path: Path) -> None:
    page = browser.new_page(viewport={"width": 1440, "height": 900}, reduced_motion="reduce")
    page.set_default_timeout(60_000)
    errors: list[str] = []
    page.on("pageerror", lambda error: errors.append(str(error)))
    page.goto(studio_url + "?data=moons&path=bow")
    page.wait_for_function("document.querySelector('.fm-coefficients')?.innerText.includes('J(x')")
    dialog, button = page.locator("#code-dialog"), page.get_by_role("button", name="Get code")
    assert not dialog.is_visible()

    button.click()
    page.wait_for_function("document.querySelector('#code-text').innerText.includes('moons')")
    assert page.evaluate("document.activeElement.dataset.fm") == "code-close"
    with page.expect_download() as download:
        page.get_by_role("button", name="Download experiment.py").click()
    download.value.save_as(tmp_path / "experiment.py")
    saved = (tmp_path / "experiment.py").read_text("utf-8")
    assert saved == script(Experiment(data="moons", path="bow"))

    page.keyboard.press("Escape")
    dialog.wait_for(state="hidden")
    assert page.evaluate("document.activeElement.dataset.fm") == "code"
    button.click()
    page.get_by_role("button", name="Close").click()
    dialog.wait_for(state="hidden")
    page.close()
    assert errors == []
