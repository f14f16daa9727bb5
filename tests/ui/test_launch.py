"""Launch options become what the page may do; what cannot be is refused; nothing is left behind."""

import os
import runpy
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path
from types import SimpleNamespace

import httpx
import pytest
import uvicorn
from gradio import Blocks
from gradio.state_holder import StateHolder
from gradio_client import Client

from fmstudio.image.hub.consent import Permission, permission
from fmstudio.ui import launch as module

APP = Path(__file__).parents[2] / "app.py"


class Built:
    """A page that is not served."""

    def __init__(self):
        self.blocks = {}
        self._queue = Blocks()._queue
        self.server = SimpleNamespace(config=uvicorn.Config(app="none:at_all"))

    served = staticmethod(lambda: None)

    def launch(self, **options):
        self.options = options

    def block_thread(self):
        self.served()


@pytest.fixture
def page(monkeypatch):
    monkeypatch.setenv("FMSTUDIO_HUB", "off")
    monkeypatch.setenv("GRADIO_DEFAULT_CONCURRENCY_LIMIT", "8")
    for name in ("GRADIO_TEMP_DIR", "GRADIO_SERVER_NAME", "GRADIO_SERVER_PORT", "FMSTUDIO_DEVICE"):
        monkeypatch.delenv(name, raising=False)
    before = {name: signal.getsignal(name) for name in (signal.SIGTERM, signal.SIGINT)}
    # A shell's background process is born deaf to Ctrl-C.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    built = Built()
    monkeypatch.setattr(module, "build", lambda: built)
    monkeypatch.setattr(module.warm, "start", lambda: None)
    yield built
    for name, handler in before.items():
        signal.signal(name, handler)


def run_app(monkeypatch, *arguments):
    monkeypatch.setattr(os, "_exit", sys.exit)
    monkeypatch.setattr(sys, "argv", ["app.py", "--no-browser", *arguments])
    runpy.run_path(str(APP), run_name="__main__")


def test_what_visitors_may_fetch_is_a_launch_option(page) -> None:
    module.launch(port=7999, hub="any")
    assert page.options["server_port"] == 7999
    assert permission() is Permission.ANY


def test_without_the_option_the_variable_says_it(page) -> None:
    module.launch()
    assert permission() is Permission.OFF


def test_the_queue_is_looked_at_less_often_than_gradio_does(page) -> None:
    page._queue.sleep_when_free = 0.001
    module.launch()
    assert page._queue.sleep_when_free == module.POLL
    page._queue.sleep_when_free = 0.05  # As on Windows.
    module.launch()
    assert page._queue.sleep_when_free == 0.05


def test_another_value_is_refused(page) -> None:
    with pytest.raises(ValueError, match="everything"):
        module.launch(hub="everything")


def test_the_command_line_passes_it_on(page, monkeypatch) -> None:
    with pytest.raises(SystemExit) as ended:
        run_app(monkeypatch, "--hub", "cards")
    assert ended.value.code == 0
    assert permission() is Permission.CARDS
    assert page.options["inbrowser"] is False


@pytest.fixture
def taken():
    """A port at which somebody listens."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield str(server.getsockname()[1])


@pytest.mark.parametrize(
    ("arguments", "variables", "sentence"),
    [
        (("--port", "70000"), {}, "from 1 to 65535; got 70000"),
        (("--port", "-5"), {}, "from 1 to 65535; got -5"),
        (("--port", "TAKEN"), {}, "is taken"),
        ((), {"GRADIO_SERVER_PORT": "TAKEN"}, "is taken"),
        ((), {"GRADIO_SERVER_PORT": "web"}, "invalid int value: 'web'"),
        (("--host", "192.0.2.1"), {}, "nothing can listen at '192.0.2.1'"),
        (("--host", "no-such-host.invalid"), {}, "no address is known for 'no-such-host.invalid'"),
        ((), {"FMSTUDIO_HUB": "everything"}, "FMSTUDIO_HUB: expected off, cards, any"),
        ((), {"FMSTUDIO_DEVICE": "cuda:99"}, "no such device"),
        ((), {"FMSTUDIO_DEVICE": "potato"}, "FMSTUDIO_DEVICE: expected a device"),
    ],
)
def test_what_cannot_be_is_said_before_the_page_is_built(
    page, monkeypatch, capsys, taken, arguments, variables, sentence
) -> None:
    for name, value in variables.items():
        monkeypatch.setenv(name, value.replace("TAKEN", taken))
    with pytest.raises(SystemExit) as ended:
        run_app(monkeypatch, *(argument.replace("TAKEN", taken) for argument in arguments))
    assert ended.value.code == 2
    assert sentence in capsys.readouterr().err
    assert not hasattr(page, "options")


@pytest.mark.skipif(sys.platform == "win32", reason="Windows ends a process without asking it")
@pytest.mark.parametrize("name", [signal.SIGTERM, signal.SIGINT])
def test_what_was_written_for_visitors_goes_when_the_studio_is_stopped(page, monkeypatch, name) -> None:
    def served():
        page.folder = Path(os.environ["GRADIO_TEMP_DIR"])
        (page.folder / "scene.bin").write_bytes(b"scene")
        os.kill(os.getpid(), name)
        time.sleep(10)
        pytest.fail("Nobody heard the signal.")

    page.served = served
    with pytest.raises(SystemExit) as ended:
        run_app(monkeypatch)
    assert ended.value.code == 130
    assert page.folder.name.startswith("fmstudio-")
    assert not page.folder.exists()
    assert "GRADIO_TEMP_DIR" not in os.environ


@pytest.mark.slow
@pytest.mark.skipif(sys.platform == "win32", reason="Windows ends a process without asking it")
def test_a_studio_that_is_stopped_while_it_trains_ends_in_peace(tmp_path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    with (tmp_path / "log").open("w") as log:
        command = [sys.executable, str(APP), "--no-browser", "--port", str(port)]
        # From another folder, with one for what it writes.
        variables = os.environ | {"TMPDIR": str(tmp_path), "PYTHONUNBUFFERED": "1"}
        variables.pop("GRADIO_TEMP_DIR", None)
        studio = subprocess.Popen(command, cwd=tmp_path, env=variables, stdout=log, stderr=log)
    try:
        until = time.monotonic() + 120
        while "Running on" not in (tmp_path / "log").read_text():
            assert studio.poll() is None
            assert time.monotonic() < until
            time.sleep(0.1)
        client = Client(f"http://127.0.0.1:{port}/", verbose=False)
        job = client.submit({"train_steps": 100_000}, api_name="/train")
        while job.status().code.name != "PROCESSING":
            time.sleep(0.1)
        time.sleep(2)
        assert any(path.name.startswith("fmstudio-") for path in tmp_path.iterdir())
        studio.terminate()
        assert studio.wait(20) == 0
    finally:
        studio.kill()
        studio.wait()
    said = (tmp_path / "log").read_text()
    assert "closing server" in said
    assert "terminate called" not in said
    assert "Traceback" not in said
    assert not any(path.name.startswith("fmstudio-") for path in tmp_path.iterdir())


def test_the_folder_is_made_in_the_one_that_the_owner_names(page, monkeypatch, tmp_path) -> None:
    monkeypatch.setenv("GRADIO_TEMP_DIR", str(tmp_path))
    (tmp_path / "of others").touch()
    page.served = lambda: seen.append(Path(os.environ["GRADIO_TEMP_DIR"]).parent)
    seen = []
    module.launch()
    assert seen == [tmp_path]
    assert [path.name for path in tmp_path.iterdir()] == ["of others"]
    assert os.environ["GRADIO_TEMP_DIR"] == str(tmp_path)


def test_a_visit_that_was_idle_the_longest_is_forgotten() -> None:
    page = Blocks()
    page.state_session_capacity = module.options()["state_session_capacity"]
    held = StateHolder()
    held.set_blocks(page)
    for visit in [*range(module.SESSIONS), 0, module.SESSIONS]:
        assert held[str(visit)]
    assert "0" in held
    assert "1" not in held
    assert len(held.session_data) == module.SESSIONS


def test_a_proxy_of_the_environment_is_not_asked_for_the_studio_itself(page, monkeypatch) -> None:
    monkeypatch.setenv("http_proxy", "http://proxy.invalid:3128")
    monkeypatch.setenv("no_proxy", "intranet.invalid")
    module.launch(host="127.0.0.1")
    assert os.environ["no_proxy"] == "intranet.invalid,localhost,127.0.0.1,127.0.0.1"
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    with pytest.raises(httpx.ConnectError, match="refused"):  # Nobody listens; the proxy's name is unknown.
        httpx.get(f"http://127.0.0.1:{port}/")
