"""An API call has a budget, ends with its client, and steps aside for the page's visitors."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator

import httpx
import pytest
from gradio_client import Client
from gradio_client.exceptions import AppError

from fmstudio.learn.experiment import Experiment
from fmstudio.learn.training.train import Progress
from fmstudio.studio.line import TRAININGS, Line, Place
from fmstudio.studio.running import Stopped
from fmstudio.ui import errand as module
from fmstudio.ui import launch
from fmstudio.ui.errand import GIGABYTES, SECONDS, Errand, budget, check_memory, errand

ENDLESS = {"train_steps": 200_000, "width": 16, "depth": 1, "fourier": 4, "batch": 64}


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever waits for a turn looks again soon."""
    monkeypatch.setattr(module, "_LOOK_AGAIN", 0.02)


def until(holds: Callable[[], bool], longest: float = 60.0) -> None:
    """Wait for something that another thread does."""
    end = time.monotonic() + longest
    while not holds():
        assert time.monotonic() < end
        time.sleep(0.02)


class Waits(Place):
    """A place that a visitor takes until the clock says 100."""

    def __init__(self, clock: list[float]) -> None:
        super().__init__(Line("the machine is small"), guest=True)
        self.clock, self.visitors = clock, 0

    def ahead(self) -> int:
        return self.visitors

    def wait(self, seconds: float) -> None:
        self.clock[0], self.visitors = 100.0, 0


def test_the_seconds_are_those_of_work(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = [0.0]
    monkeypatch.setattr(module.time, "monotonic", lambda: clock[0])
    place = Waits(clock)
    work = Errand(place, seconds=10.0)
    clock[0] = 9.0
    work.go_on()
    clock[0], place.visitors = 9.5, 1
    work.go_on()  # A visitor comes, and leaves at 100.
    assert clock[0] == 100.0
    clock[0] = 100.4
    work.go_on()
    clock[0] = 100.6
    with pytest.raises(ValueError, match=rf"after 10 seconds of work.*{SECONDS}"):
        work.go_on()


def test_a_guest_stops_for_a_visitor_and_goes_on() -> None:
    line, steps, leave = Line("the machine is small"), [0], threading.Event()

    def guest() -> None:
        with errand(line) as work:
            while not leave.is_set():
                work.go_on()
                steps[0] += 1

    working = threading.Thread(target=guest)
    working.start()
    until(lambda: steps[0] > 0)
    with line.join() as place:
        assert place.ahead() == 0
        until(lambda: line.places[1].ahead() == 1)
        until(lambda: (seen := steps[0], time.sleep(0.05), steps[0] == seen)[-1])
        stood = steps[0]
    until(lambda: steps[0] > stood)
    leave.set()
    working.join(timeout=60)
    assert not working.is_alive()
    assert line.places == ()


@pytest.mark.parametrize(("given", "means"), [("", 900.0), ("2.5", 2.5), ("inf", float("inf"))])
def test_the_operator_sets_the_budget(monkeypatch: pytest.MonkeyPatch, given: str, means: float) -> None:
    monkeypatch.setenv(SECONDS, "1")
    monkeypatch.setenv(GIGABYTES, "1")
    launch.budgeted(given, None)
    assert budget() == module.Budget(means, 1.0)


@pytest.mark.parametrize("given", ["soon", "0", "-3", "nan"])
def test_what_is_no_budget_is_refused(monkeypatch: pytest.MonkeyPatch, given: str) -> None:
    monkeypatch.setenv(SECONDS, given)
    with pytest.raises(ValueError, match=rf"{SECONDS}: expected a number above 0.*{given}"):
        launch.budgeted(None, None)


def test_memory_is_refused_before_it_is_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(GIGABYTES, "0.5")
    check_memory(0.4e9)
    with pytest.raises(ValueError, match=rf"about 0\.6 GB.*may use 0\.5 GB \({GIGABYTES}\)"):
        check_memory(0.6e9)


@pytest.fixture(scope="module")
def client(studio_url: str) -> Iterator[Client]:
    connected = Client(studio_url, verbose=False)
    yield connected
    connected.close()


@pytest.mark.parametrize(
    ("endpoint", "given"),
    [
        ("/train", (ENDLESS,)),
        ("/claim", ({}, "C8")),
        ("/sample", ({"particles": 20_000, "sample_steps": 200, "solver": "rk4"}, "")),
        ("/images", ({"steps": [128] * 8, "count": 2},)),
    ],
)
def test_work_ends_with_its_budget(
    client: Client, monkeypatch: pytest.MonkeyPatch, endpoint: str, given: tuple[object, ...]
) -> None:
    monkeypatch.setenv(SECONDS, "0.2")
    with pytest.raises(AppError, match=r"Ended after 0\.2 seconds of work"):
        client.predict(*given, api_name=endpoint)


@pytest.mark.parametrize(
    ("endpoint", "given"),
    [
        ("/train", ({},)),
        ("/claim", ({}, "C1")),
        ("/sample", ({}, "")),
        ("/trajectories", ({},)),
        ("/images", ({},)),
    ],
)
def test_work_has_a_budget_of_memory(
    client: Client, monkeypatch: pytest.MonkeyPatch, endpoint: str, given: tuple[object, ...]
) -> None:
    monkeypatch.setenv(GIGABYTES, "0.01")
    with pytest.raises(AppError, match=r"may use 0\.01 GB"):
        client.predict(*given, api_name=endpoint)


def test_the_budget_is_told_beforehand(studio_url: str) -> None:
    told = httpx.get(f"{studio_url}gradio_api/info", timeout=60).json()["named_endpoints"]
    for name in ("/trajectories", "/train", "/sample", "/claim", "/images"):
        assert told[name]["description"].endswith(" A call may work for 900 s and use 4 GB.")
    assert told["/claim"]["parameters"][1]["parameter_name"] == "number"


def test_a_training_ends_when_its_client_cancels(client: Client) -> None:
    job = client.submit(ENDLESS, api_name="/train")
    until(lambda: len(TRAININGS.places) == 1)
    job.cancel()
    until(lambda: TRAININGS.places == ())


def test_a_training_ends_when_its_client_leaves(studio_url: str) -> None:
    asked = httpx.post(f"{studio_url}gradio_api/call/train", json={"data": [ENDLESS]}).json()["event_id"]
    with httpx.stream("GET", f"{studio_url}gradio_api/call/train/{asked}", timeout=60):
        until(lambda: len(TRAININGS.places) == 1)
    until(lambda: TRAININGS.places == ())


def test_a_visitor_does_not_wait_for_trainings_of_the_api(client: Client) -> None:
    jobs = [client.submit(ENDLESS, api_name="/train") for _ in range(TRAININGS.served + 1)]
    until(lambda: len(TRAININGS.places) == TRAININGS.served)
    visitors = [TRAININGS.serve(lambda: iter("a"), str) for _ in range(TRAININGS.served)]
    assert [next(visitor) for visitor in visitors] == ["a"] * TRAININGS.served
    for visitor in visitors:
        visitor.close()
    for job in jobs:
        job.cancel()
    until(lambda: TRAININGS.places == ())


def test_no_request_skips_the_line(studio_url: str) -> None:
    answer = httpx.post(f"{studio_url}gradio_api/run/train", json={"data": [ENDLESS]}, timeout=60)
    assert answer.status_code >= 400
    assert "queue" in answer.text


def test_what_nobody_waits_for_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    from fmstudio.learn.jobs import train_net

    monkeypatch.setattr(module, "client_waits", lambda: False)
    reports: list[Progress] = []
    with pytest.raises(Stopped):
        train_net(Experiment.from_dict(ENDLESS), lambda report: (reports.append(report), work.go_on())[-1])
    assert len(reports) == 1


work = Errand(None, seconds=60)
