"""Every named endpoint through gradio_client, as a program would call it."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from typing import Any

import pytest
from gradio_client import Client
from gradio_client.exceptions import AppError

from fmstudio.learn.experiment import Experiment

TINY = {"particles": 50, "frames": 5, "train_steps": 60, "width": 16, "depth": 1, "fourier": 4, "batch": 64}


@pytest.fixture(scope="module")
def client(studio_url: str) -> Iterator[Client]:
    connected = Client(studio_url, verbose=False)
    yield connected
    connected.close()


@pytest.mark.slow
def test_trajectories(client: Client) -> None:
    given = TINY | {"data": "moons", "path": "spherical"}
    answer: Any = client.predict(given, api_name="/trajectories")
    assert Experiment.from_json(answer["experiment"]) == Experiment.from_dict(given)
    assert len(answer["positions"]) == len(answer["times"]) == 5
    assert len(answer["positions"][0]) == 50
    # The experiment of an answer is an experiment to ask about.
    again: Any = client.predict(answer["experiment"], api_name="/trajectories")
    assert again["positions"] == answer["positions"]


@pytest.mark.parametrize("given", ["[1, 2]", "moons", 3, "[" * 100_000])
def test_what_is_no_object_is_refused_in_words(client: Client, given: Any) -> None:
    for name in ("/trajectories", "/images"):
        with pytest.raises(AppError, match="Expected a JSON object"):
            client.predict(given, api_name=name)


def test_an_experiment_as_text_is_refused_by_the_fields_name(client: Client) -> None:
    with pytest.raises(AppError, match="seed: expected a number"):
        client.predict('{"seed": ' + "9" * 5_000 + "}", api_name="/trajectories")


@pytest.mark.slow
def test_points_of_a_file(client: Client) -> None:
    table = "x;y;kind\n1,5;2;a\n3;NA;b\n4;7;a\n5;1;b\n6;6;b\n"
    content = base64.b64encode(table.encode()).decode()
    answer: Any = client.predict("a.csv", content, {"y": "y", "label": "kind"}, api_name="/points")
    assert answer["classes"] == ["a", "b"]
    assert "1 row left out" in answer["note"]
    assert answer["columns"][1] == {"name": "y", "kind": "numbers", "missing": 1}
    played: Any = client.predict(answer["experiment"], api_name="/trajectories")
    assert len(played["labels"]) == Experiment().particles
    for given, words in ((("a.heic", content, {}), "HEIC"), (("a.csv", "!", {}), "expected base64")):
        with pytest.raises(AppError, match=words):
            client.predict(*given, api_name="/points")


@pytest.mark.slow
def test_train_then_sample_its_net(client: Client) -> None:
    report: Any = client.predict(TINY, api_name="/train")
    assert report["step"] == 60
    assert report["floor"] > 0
    answer: Any = client.predict(TINY, report["checkpoint"], api_name="/sample")
    assert answer["field"] == "net"
    assert len(answer["samples"]) == 50


def test_sample_the_exact_velocity(client: Client) -> None:
    answer: Any = client.predict(TINY | {"solver": "heun", "sample_steps": 7}, "", api_name="/sample")
    assert answer["field"] == "exact"
    assert answer["nfe"] == 14


@pytest.mark.slow
def test_images(client: Client) -> None:
    answer: Any = client.predict({"steps": [1, 2], "count": 2, "seed": 5}, api_name="/images")
    assert [row["nfe"] for row in answer["rows"]] == [1, 2]
    assert base64.b64decode(answer["rows"][0]["images"][1]).startswith(b"\x89PNG")


@pytest.mark.slow
def test_images_with_a_shift_and_by_an_adaptive_solver(client: Client) -> None:
    given = {"steps": [2], "count": 1, "solver": "heun", "shift": 3.0, "label": -2}
    answer: Any = client.predict(given, api_name="/images")
    assert answer["settings"]["shift"] == 3.0
    assert answer["rows"][0]["nfe"] == 4
    answer = client.predict({"solver": "dopri5", "tolerances": [0.5], "count": 1}, api_name="/images")
    assert answer["rows"][0]["tolerance"] == 0.5
    assert answer["rows"][0]["nfe"] > 6


@pytest.mark.parametrize(
    ("endpoint", "given", "message"),
    [
        ("/trajectories", {"pathh": "linear"}, "Unknown field"),
        ("/trajectories", {"particles": 0}, "particles: expected a number"),
        ("/train", {"learning_rate": "fast"}, "learning_rate: expected a number"),
        ("/images", {"steps": [0]}, "steps: expected a whole number"),
        ("/images", {"shift": 0}, "shift: expected a number"),
        ("/images", {"model": "../secret"}, "model: expected one of"),
    ],
)
def test_wrong_input_is_answered_with_the_sentence(
    client: Client, endpoint: str, given: dict[str, Any], message: str
) -> None:
    with pytest.raises(AppError, match=message):
        client.predict(given, api_name=endpoint)


def test_a_broken_checkpoint_is_refused(client: Client) -> None:
    with pytest.raises(AppError, match="base64"):
        client.predict(TINY, "not a net!", api_name="/sample")


def test_the_public_endpoints_are_the_ones_that_are_documented(client: Client) -> None:
    described: Any = client.view_api(return_format="dict", print_info=False)
    assert set(described["named_endpoints"]) == {
        "/points", "/trajectories", "/train", "/sample", "/claim", "/images",
    }  # fmt: skip
