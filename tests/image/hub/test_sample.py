"""Every pipeline class through the real code: what a step is, how many there are, what the pictures are."""

import itertools
import math
import time

import pytest
import torch

from fmstudio.image.finite import NotFiniteError
from fmstudio.image.hub.cards import EULER, UNIPC
from fmstudio.image.hub.describe import describe
from fmstudio.image.hub.load import load_model
from fmstudio.image.hub.looks import decodable
from fmstudio.image.hub.plan import Placement, Plan
from fmstudio.image.hub.sample import Finished, HubModel, Request
from fmstudio.image.hub.steps import StepRecord, measure_trajectory
from tests.image.hub import tiny

SIDE = 32
EVERY = [*tiny.PIPELINES, tiny.INSTAFLOW]

# diffusers' own PRX pipeline warns of a class of its own
pytestmark = pytest.mark.filterwarnings("ignore:.*LoraLoaderMixin.*:FutureWarning")


# InstaFlow runs in an Euler loop of its own.
EVERY_SOLVER = [(n, s) for n in EVERY for s in (EULER, UNIPC) if (n, s) != (tiny.INSTAFLOW, UNIPC)]


def request(**changes) -> Request:
    return Request(**({"prompt": "a red fox", "side": SIDE, "guidance": 1.0} | changes))


def run(model: HubModel, **changes) -> tuple[list[StepRecord], Finished]:
    *records, finished = model.sample(request(**changes))
    assert isinstance(finished, Finished)
    return records, finished


@pytest.mark.slow
@pytest.mark.parametrize(("name", "solver"), EVERY_SOLVER)
def test_every_step_count_makes_that_many_real_steps(tiny_model, name, solver) -> None:
    model = tiny_model(name)
    for n in range(1, 9):
        records, finished = run(model, step_count=n, solver=solver)
        assert [record.index for record in records] == list(range(1, n + 1))
        assert finished.nfe == n
        assert records[0].sigma == pytest.approx(1.0, abs=1e-5)
        assert records[-1].sigma_next == 0.0
        for record, after in itertools.pairwise(records):
            assert record.sigma_next == after.sigma
        # the times are an even grid under one time shift: no step is wasted
        odds = [(k / (n - k)) * record.sigma / (1 - record.sigma) for k, record in enumerate(records) if k]
        assert all(odd == pytest.approx(odds[0], rel=1e-3) for odd in odds)
        assert all(0.3 < odd < 30 for odd in odds)
        moved = [float((record.x_next - record.x).abs().max()) for record in records]
        assert all(math.isfinite(m) and m > 0 for m in moved)


@pytest.mark.parametrize("name", EVERY)
def test_a_step_by_hand(tiny_model, name) -> None:
    """x_next = x − (σ − σ_next) v, x̂₀ = x − σ v, and one step from σ = 1 lands on x̂₀."""
    model = tiny_model(name)
    records, _ = run(model, step_count=3)
    for record in records:
        by_hand = record.x - (record.sigma - record.sigma_next) * record.v
        assert torch.allclose(record.x_next, by_hand, atol=1e-5)
        assert torch.equal(record.x0_hat, record.x - record.sigma * record.v)
    (only,), _ = run(model, step_count=1)
    assert torch.equal(only.x, records[0].x)  # the same noise at every step count
    assert torch.allclose(only.x_next, only.x0_hat, atol=1e-5)


class Oracle:
    """Stands in for a network: answers what each class's own convention wants for one known data point.

    At x = (1 − σ) x₀ + σ x₁ with x₀ = 0 the velocity is v = x₁ − x₀ = x/σ, whatever the noise was.
    """

    def __init__(self, name: str, module: torch.nn.Module, delay: float = 0.0):
        self._name, self._module, self._delay, self.times = name, module, delay, []

    def __getattr__(self, attribute):
        return getattr(self._module, attribute)

    def __call__(self, *arguments, **named):
        counted = named.get("timestep", arguments[1] if len(arguments) > 1 else None).flatten()[0].item()
        x = named.get("hidden_states", arguments[0] if arguments else None)
        scale = {"SD3": 1000, "Sana": 1000, "InstaFlow": 1000}.get(self._name, 1)
        towards_data = self._name in ("ZImage", "Lumina2")  # these count 0 at noise and 1 at data
        sigma = 1 - counted if towards_data else counted / scale
        self.times.append(sigma)
        time.sleep(self._delay)
        sign = -1 if self._name in ("ZImage", "Lumina2", "InstaFlow") else 1
        if self._name == "ZImage":
            return ([sign * part / sigma for part in x],)
        return (sign * x / sigma,)


@pytest.mark.parametrize(("name", "solver"), EVERY_SOLVER)
def test_conventions_of_each_class(tiny_model, name, solver, monkeypatch) -> None:
    """A network that knows the data is x₀ = 0, in its class's sign and time, is read as v = x₁, x̂₀ = 0."""
    model = tiny_model(name)
    part = "unet" if name == tiny.INSTAFLOW else "transformer"
    oracle = Oracle(name, getattr(model.pipe, part))
    monkeypatch.setattr(model.pipe, part, oracle)
    records, _ = run(model, step_count=4, solver=solver)
    noise = records[0].x
    assert noise.std() == pytest.approx(1.0, abs=0.1)
    for record, asked in zip(records, oracle.times, strict=True):
        # UniPC rounds the time it asks the network at to a thousandth
        loose = 2e-3 / record.sigma if solver == UNIPC else 1e-4
        assert asked == pytest.approx(record.sigma, abs=1.1e-3 if solver == UNIPC else 1e-5)
        assert torch.allclose(record.v, noise, atol=10 * loose)
        assert torch.allclose(record.x, record.sigma * noise, atol=10 * loose)
        assert record.x0_hat.abs().max() < 10 * loose
    trajectory = measure_trajectory(records)
    assert trajectory.straightness < 1e-2 if solver == UNIPC else trajectory.straightness < 1e-8


@pytest.mark.parametrize("name", EVERY)
def test_the_pictures_are_the_decoded_end_of_the_trajectory(tiny_model, name) -> None:
    """Unpacked and scaled by `decodable`, the last latents decode to the pipeline's own pictures."""
    model = tiny_model(name)
    records, finished = run(model, step_count=2, seed=3)
    latents = decodable(model.pipe, records[-1].x_next, SIDE)
    vae = model.pipe.vae
    film = "z_dim" in vae.config
    with torch.no_grad():
        decoded = vae.decode(latents.unsqueeze(2) if film else latents, return_dict=False)[0]
    decoded = decoded[:, :, 0] if film else decoded
    ours = ((decoded / 2 + 0.5).clamp(0, 1) * 255).round()
    assert finished.pictures.shape == (1, 3, SIDE, SIDE)
    assert (ours - finished.pictures.float()).abs().max() <= 1


@pytest.mark.parametrize("name", EVERY)
def test_a_look_at_every_step(tiny_model, name) -> None:
    model = tiny_model(name)
    records, _ = run(model, step_count=2)
    for record in records:
        for latents in (record.x, record.x0_hat):
            look = model.look(latents, SIDE)
            assert look.dtype == torch.uint8
            assert look.shape[:2] == (1, 3)


@pytest.mark.parametrize("name", [name for name in EVERY if name not in (tiny.INSTAFLOW, "PRX")])
def test_the_recorder_changes_nothing(tiny_model, name) -> None:
    """A plain call of the untouched pipeline with the same σ and seed makes the same picture.

    InstaFlow and PRX are left out: their own calls take no σ.
    """
    model = tiny_model(name)
    _, finished = run(model, step_count=3, seed=5)
    pipe = model.pipe
    own = pipe.scheduler
    if name == "Sana":
        from diffusers import FlowMatchEulerDiscreteScheduler

        pipe.scheduler = FlowMatchEulerDiscreteScheduler(shift=own.config["flow_shift"])
    if name == "QwenImage":
        pipe.scheduler = type(own).from_config(own.config, shift_terminal=None)
    takes = {"use_resolution_binning": False} if name == "Sana" else {}
    strength = "true_cfg_scale" if name == "QwenImage" else "guidance_scale"
    plain = pipe(
        prompt="a red fox",
        sigmas=[1.0, 2 / 3, 1 / 3],
        num_inference_steps=3,
        height=SIDE,
        width=SIDE,
        generator=torch.Generator().manual_seed(5),
        output_type="pt",
        **{strength: 1.0},
        **takes,
    ).images
    pipe.scheduler = own
    assert (plain * 255 - finished.pictures).abs().max() <= 1


@pytest.mark.slow
@pytest.mark.parametrize("name", EVERY)
def test_guidance_seed_and_shift_matter(tiny_model, name) -> None:
    model = tiny_model(name)
    plain, _ = run(model, step_count=2)
    seeded, _ = run(model, step_count=2, seed=1)
    assert not torch.equal(plain[0].x, seeded[0].x)
    if name not in ("Flux",):  # a network without guidance as an input, and no second forward
        guided, _ = run(model, step_count=2, guidance=4.0)
        assert torch.equal(plain[0].x, guided[0].x)
        assert not torch.allclose(plain[0].v, guided[0].v)
    if name != tiny.INSTAFLOW:
        shifted, _ = run(model, step_count=2, shift=3.0)
        assert shifted[1].sigma == pytest.approx(3 * 0.5 / (1 + 2 * 0.5))


@pytest.mark.parametrize("name", ["SD3", "Flux", "PRX", "InstaFlow"])
def test_two_pictures_at_once(tiny_model, name) -> None:
    _, finished = run(tiny_model(name), step_count=1, count=2)
    assert finished.pictures.shape[0] == 2
    assert not torch.equal(finished.pictures[0], finished.pictures[1])


@pytest.mark.parametrize("name", EVERY)
def test_stopping_ends_the_run_and_frees_the_model(tiny_model, name, monkeypatch) -> None:
    model = tiny_model(name)
    part = "unet" if name == tiny.INSTAFLOW else "transformer"
    counted = Oracle(name, getattr(model.pipe, part), delay=0.005)
    monkeypatch.setattr(model.pipe, part, counted)
    steps = model.sample(request(step_count=200))
    next(steps)
    steps.close()
    model.wait()
    assert len(counted.times) < 100
    monkeypatch.undo()
    records, _ = run(model, step_count=2)
    assert len(records) == 2


@pytest.mark.slow
@pytest.mark.parametrize("name", EVERY)
def test_each_picture_of_several_has_a_seed_and_comes_out_alone(tiny_model, name) -> None:
    """The same noise to the last bit; the same picture but for the rounding of products of another size."""
    model = tiny_model(name)
    together, three = run(model, step_count=2, seed=5, count=3)
    assert list(three.request.seeds) == [5, 6, 7]
    assert not torch.equal(three.pictures[1], three.pictures[2])
    for k in range(3):
        alone, one = run(model, step_count=2, seed=5 + k)
        assert torch.equal(alone[0].x[0], together[0].x[k])
        torch.testing.assert_close(alone[-1].x_next[0], together[-1].x_next[k], rtol=1e-4, atol=1e-4)
        assert (one.pictures[0].int() - three.pictures[k].int()).abs().max() <= 1


@pytest.mark.slow
def test_latents_that_are_not_finite_stop_the_run_at_their_step(tiny_folder) -> None:
    """Sums of numbers times 60,000 are numbers in float32 and inf in float16: there the picture is black."""
    for dtype in ("float32", "float16"):
        model = load_model(describe(tiny_folder("SD3")), Plan(Placement.PROCESSOR, "cpu", dtype))
        tiny.enlarge(model.pipe.transformer, 6e4)
        steps = model.sample(request(step_count=3))
        if dtype == "float32":
            assert isinstance(list(steps)[-1], Finished)
            continue
        with pytest.raises(
            NotFiniteError, match=r"Step 1 of 3 \(σ = 1\.000\) .* in float16; .*bfloat16 or float32"
        ):
            next(steps)
        model.wait()


def test_the_first_step_that_fails_is_the_one_that_is_named(tiny_model, monkeypatch) -> None:
    model = tiny_model("SD3")
    forward, asked = model.pipe.transformer.forward, []

    def third_time(*arguments, **named):
        asked.append(1)
        (v,) = forward(*arguments, **named)
        return (v * (math.inf if len(asked) == 3 else 1),)

    monkeypatch.setattr(model.pipe.transformer, "forward", third_time)
    seen = []
    with pytest.raises(NotFiniteError, match=r"Step 3 of 4 \(σ = 0\.\d+\) .* in float32; .*lower guidance"):
        seen.extend(model.sample(request(step_count=4)))
    assert [record.index for record in seen] == [1, 2]
    monkeypatch.undo()
    assert run(model, step_count=1)[1].nfe == 1


@pytest.mark.parametrize("name", ["SD3", tiny.INSTAFLOW])
def test_a_decoder_that_answers_with_no_number_is_named(tiny_model, name, monkeypatch) -> None:
    model = tiny_model(name)
    decode = model.pipe.vae.decode
    monkeypatch.setattr(model.pipe.vae, "decode", lambda *a, **k: (decode(*a, **k)[0] * math.nan,))
    with pytest.raises(NotFiniteError, match=r"The decoder answered .* in float32"):
        list(model.sample(request(step_count=1)))


def test_an_error_inside_a_pipeline_reaches_the_reader_and_leaves_it_usable(tiny_model, monkeypatch) -> None:
    model = tiny_model("SD3")
    own = model.pipe.scheduler

    def fail(*_, **__):
        raise torch.OutOfMemoryError("no room")

    monkeypatch.setattr(model.pipe.transformer, "forward", fail)
    with pytest.raises(torch.OutOfMemoryError, match="no room"):
        list(model.sample(request(step_count=2)))
    monkeypatch.undo()
    assert model.pipe.scheduler is own
    assert run(model, step_count=1)[1].nfe == 1


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"prompt": "  "}, "prompt is empty"),
        ({"step_count": 0}, "1 … 200"),
        ({"side": 40}, "16 divides"),
        ({"count": 0}, "one picture or more"),
    ],
)
def test_requests_that_make_no_sense(changes, message) -> None:
    with pytest.raises(ValueError, match=message):
        request(**changes)
