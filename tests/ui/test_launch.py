"""Launch options become what the page may do."""

import runpy
import sys
from pathlib import Path

import pytest

from fmstudio.image.hub.consent import Permission, permission
from fmstudio.ui import launch as module

APP = Path(__file__).parents[2] / "app.py"


class Built:
    """A page that is not served."""

    def launch(self, **options):
        self.options = options

    def block_thread(self):
        pass


@pytest.fixture
def page(monkeypatch):
    monkeypatch.setenv("FMSTUDIO_HUB", "off")
    monkeypatch.setenv("GRADIO_DEFAULT_CONCURRENCY_LIMIT", "8")
    built = Built()
    monkeypatch.setattr(module, "build", lambda: built)
    monkeypatch.setattr(module.warm, "start", lambda: None)
    return built


def test_what_visitors_may_fetch_is_a_launch_option(page):
    module.launch(port=7999, hub="any")
    assert page.options["server_port"] == 7999
    assert permission() is Permission.ANY


def test_without_the_option_the_variable_says_it(page):
    module.launch()
    assert permission() is Permission.OFF


def test_another_value_is_refused(page):
    with pytest.raises(ValueError, match="everything"):
        module.launch(hub="everything")


def test_the_command_line_passes_it_on(page, monkeypatch):
    monkeypatch.setattr(sys, "argv", ["app.py", "--no-browser", "--hub", "cards"])
    runpy.run_path(str(APP), run_name="__main__")
    assert permission() is Permission.CARDS
    assert page.options["inbrowser"] is False
