"""Sample: what does P do with the field, and how far is it from Q?"""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import wait
from typing import Any

import gradio as gr

from fmstudio.learn.experiment import SOLVERS
from fmstudio.learn.simulate import Distances, Motion
from fmstudio.plots.figures import heat_figure, nfe_figure, profile_figure
from fmstudio.ui import actions, quality, sampling, words
from fmstudio.ui.live_plot import LivePlot, figure_json
from fmstudio.ui.player import Player
from fmstudio.ui.room import Room
from fmstudio.ui.sidebar import numbers, pills, slider
from fmstudio.ui.stoppable import Stopped, begin
from fmstudio.ui.tabs.report import facts, failed
from fmstudio.ui.visitor import Visitor

FIELDS = (("exact u", False), ("trained net", True))
_PROGRESS = gr.Progress()


def build(visitor: gr.State) -> Room:
    """Lay the room out in the current tab."""
    controls: dict[str, Any] = {}
    with gr.Row(elem_classes=["fm-columns"]):
        with gr.Column():
            player = Player(elem_id="sample-player", curves=True, colour="start")
            with gr.Column(elem_classes=["fm-card"], min_width=0):
                with gr.Row(elem_classes=["fm-invite"]):
                    gr.Markdown(words.sections("sample-figures")["error against work"])
                    measure = gr.Button("Measure all solvers", size="sm", elem_id="measure-solvers")
                curves = LivePlot(height=0, elem_id="nfe-plot")
            with gr.Column(elem_classes=["fm-card"], min_width=0):
                with gr.Row(elem_classes=["fm-invite"]):
                    gr.Markdown(words.sections("sample-figures")["likelihood"])
                    likelihood = gr.Button("Draw the likelihood", size="sm", elem_id="draw-likelihood")
                with gr.Row(elem_classes=["fm-pair"]):
                    flow_map = LivePlot(height=0, elem_id="likelihood-flow")
                    exact_map = LivePlot(height=0, elem_id="likelihood-exact")
                likelihood_note = gr.Markdown("", elem_classes=["fm-note"])
        with gr.Column(elem_classes=["fm-aside"]):
            with gr.Column(elem_classes=["fm-card", "fm-first"], min_width=0):
                gr.Markdown("#### Sampler")
                use_net = gr.Radio(
                    list(FIELDS), value=True, show_label=False, container=False, elem_classes=["fm-pills"],
                    elem_id="sample-field", interactive=True,
                )  # fmt: skip
                controls["solver"] = pills("solver", SOLVERS, "solver")
                controls["solver"].elem_id = "sample-solver"
                controls["sample_steps"] = numbers(
                    "sample_steps", "steps, 1 … 200", (1, 2, 4, 8, 16, 32, 100, 200)
                )
                controls["sde_noise"] = slider("sde_noise", "SDE noise η, g = ησₜ", 0.05)
                controls["label"] = gr.Dropdown(
                    [("every class", -1)], value=-1, label="class", interactive=True, visible=False
                )
                controls["guidance"] = slider("guidance", "guidance w", 0.1)
                hint = gr.Markdown("", elem_classes=["fm-note"])
                with gr.Row():
                    go = gr.Button("Sample", variant="primary", elem_id="sample-go")
                    stop = gr.Button("Stop", elem_id="sample-stop", interactive=False)
            with gr.Column(elem_classes=["fm-card"], min_width=0):
                gr.Markdown("#### Measured")
                measured = gr.HTML(facts([]), elem_id="sample-facts")
            with gr.Column(elem_classes=["fm-card"], min_width=0):
                gr.Markdown(words.text("sample"))

    demanded = [curves, flow_map, exact_map, likelihood_note]

    def drawn(state: Visitor, tell: sampling.Tell = sampling.quietly) -> tuple[Any, Any]:
        """The particles and what was measured of them, with the field that the visitor's choices mean."""
        try:
            scene, motion, distance = sampling.sample_room(state, actions.samples_the_net(state), tell)
            found = quality.quality_of(state.experiment, motion.positions[-1])
            better = None
            if actions.samples_the_net(state):
                better = quality.heun_instead(state, sampling.chosen_field(state, True), motion)
        except (ValueError, RuntimeError) as error:
            return gr.skip(), failed(error)
        except Stopped:
            return gr.skip(), gr.skip()
        return scene, facts(_measured(motion, distance, found)) + _offer(better)

    def sample(state: Visitor, progress: gr.Progress = _PROGRESS) -> Iterator[list[Any]]:
        begin(state)
        work = state.work
        yield [gr.skip(), gr.skip(), gr.update(interactive=True)]
        scene, said = drawn(state, _telling(progress, "steps of the sampler"))
        if state.work == work:
            yield [scene, said, gr.update(interactive=False)]

    def choose(state: Visitor, net: bool) -> Iterator[list[Any]]:
        if not net and not actions.has_closed_form(state.experiment):
            gr.Warning(actions.NO_CLOSED_FORM.format(coupling=state.experiment.coupling))
            yield [gr.skip(), gr.skip(), gr.skip(), actions.samples_the_net(state)]
            return
        state.use_net = net
        for updates in sample(state):
            yield [*updates, gr.skip()]

    def solvers(state: Visitor) -> Iterator[list[Any]]:
        if not after_the_picture(state):
            return
        work, net = state.work, actions.samples_the_net(state)
        done: dict[str, tuple[list[int], list[float]]] = {}
        role = "learned" if net else "exact"
        yield [gr.skip(), gr.update(interactive=True)]
        try:
            for curve in sampling.error_curves(state, net):
                done[curve.solver] = (curve.nfe, curve.error)
                yield [figure_json(nfe_figure(done, "distance to 400 RK4 steps", role)), gr.skip()]
        except (ValueError, RuntimeError) as error:
            gr.Warning(str(error))
        except Stopped:
            pass
        if state.work == work:
            yield [gr.skip(), gr.update(interactive=False)]

    def maps(state: Visitor, progress: gr.Progress = _PROGRESS) -> Iterator[list[Any]]:
        if not after_the_picture(state):
            return
        work, net = state.work, actions.samples_the_net(state)
        yield [gr.skip(), gr.skip(), gr.skip(), gr.update(interactive=True)]
        shown: list[Any] = [gr.skip()] * 3
        try:
            found = sampling.likelihood_map(state, net, tell=_telling(progress, "steps of the flow"))
            shown = _likelihood(found, net)
        except (ValueError, RuntimeError) as error:
            gr.Warning(str(error))
        except Stopped:
            pass
        if state.work == work:
            yield [*shown, gr.update(interactive=False)]

    def after_the_picture(state: Visitor) -> bool:
        """Let a picture that is under way be finished, then begin; false where Stop was pressed meanwhile."""
        work, pending = state.work, state.pending
        if pending is not None:
            wait([pending[1]])
        if state.work != work:
            return False
        begin(state)
        return True

    def stopped(state: Visitor) -> Any:
        begin(state)
        return gr.update(interactive=False)

    quiet: dict[str, Any] = {"show_progress": "hidden", "api_visibility": "private"}
    seen: dict[str, Any] = {"api_visibility": "private"}
    drawing = [player, measured, stop]
    go.click(sample, visitor, drawing, show_progress_on=measured, **seen)
    use_net.input(
        choose, [visitor, use_net], [*drawing, use_net], show_progress_on=measured,
        trigger_mode="always_last", **seen,
    )  # fmt: skip
    measure.click(solvers, visitor, [curves, stop], **quiet)
    likelihood.click(
        maps, visitor, [flow_map, exact_map, likelihood_note, stop], show_progress_on=likelihood_note, **seen
    )
    stop.click(stopped, visitor, stop, **quiet)

    def repaint(state: Visitor) -> list[Any]:
        begin(state)
        work = state.work
        scene, said = drawn(state)
        # What has begun meanwhile can be stopped.
        at_rest = gr.update(interactive=False) if state.work == work else gr.skip()
        # Figures of another field are taken away; another sampler leaves them right.
        shows = (_field_of(state), id(state.checkpoint))
        kept = state.measured == shows
        state.measured = shows
        return [
            scene, said, at_rest, actions.samples_the_net(state),
            _hint(state),
            *([gr.skip()] * 4 if kept else [None, None, None, ""]),
        ]  # fmt: skip

    return Room(
        controls=controls,
        repaint=repaint,
        outputs=[player, measured, stop, use_net, hint, *demanded],
        under_way={stop: gr.update(interactive=True)},
    )


def _hint(state: Visitor) -> str:
    """What must be known about the sampler, the net and the path."""
    net = state.checkpoint if actions.samples_the_net(state) else None
    return words.sampler_hint(
        state.experiment,
        net is not None and net.of_pairs,
        None if net is None else net.net,
        quality.wrong_start(state.experiment),
    )


def _measured(motion: Motion, distance: Distances, found: quality.Quality) -> list[tuple[str, str]]:
    """The figures of the samples, each with what it was measured on and what chance would say."""
    particles = motion.positions.shape[1]
    of = "all particles" if found.count == particles else f"{found.count:,} of them"
    return [
        ("NFE", f"{motion.nfe:,}"),
        ("time", f"{motion.seconds:.2f} s"),
        ("particles", f"{particles:,}"),
        (f"energy distance to data, {of}", words.number(found.energy)),
        ("two fresh samples of as many", f"0 ± {found.energy_chance:.4f}"),
        (f"sliced W₂ to data, {of}", words.number(found.sliced)),
        ("two fresh samples of as many", f"{found.sliced_chance.mean:.4f} ± {found.sliced_chance.std:.4f}"),
        ("farthest particle; of the data", f"{found.farthest:.2f}; {found.data_farthest:.2f}"),
        (f"curve over t, {distance.count:,} of them: largest", words.number(float(distance.values.max()))),
        ("curve and band", "inside at every t" if distance.inside else "left: not chance"),
    ]


def _offer(better: quality.Better | None) -> str:
    """What Heun's steps would do, with a button that takes them; nothing where that is too little."""
    if better is None:
        return ""
    told = words.sections("sample-figures")["heun"].format(
        gain=words.number(better.gain), count=f"{better.count:,}"
    )
    return (
        f'<p class="fm-note">{told} <button type="button" class="fm-choose" data-fm="choose" '
        'data-choice="#sample-solver input[value=heun]">Take Heun</button></p>'
    )


def _field_of(state: Visitor) -> Any:
    """The experiment without what only concerns how its field is sampled and shown."""
    return state.experiment.but(solver="euler", sample_steps=1, sde_noise=0, particles=10, frames=2)


def _telling(progress: gr.Progress, unit: str) -> sampling.Tell:
    def tell(done: int, calls: int) -> None:
        if calls:
            progress((done, calls), unit=unit)

    return tell


def _likelihood(found: sampling.LikelihoodMap, net: bool) -> list[Any]:
    """The flow's density, the exact one where it is known, and a note that compares them."""
    density, role = found.flow.exp(), "learned" if net else "exact"
    title = (
        "p₀ by the flow"
        if found.t == 0
        else f"p at t = {found.t:g} by the flow (points have no density at 0)"
    )
    cell = (2 * found.span / (density.shape[0] - 1)) ** density.ndim
    note = f"Sum over the grid: {float(density.sum()) * cell:.3f} (a density sums to 1)."
    if found.exact is None:
        note += " The data are points: there is no exact density to compare with."
    else:
        gap = (found.flow - found.exact)[found.exact > sampling.LEAST].abs().mean()
        note += f" Mean |log p₀ − log q₀| where q₀ > e⁻⁸: {float(gap):.3f}."
    if found.wrong_start is not None:
        known = "start" if found.exact is not None else "start of points"
        note += " " + words.sections("sample-figures")[known].format(nats=words.nats(found.wrong_start))
    if density.ndim == 1:
        lines = {"by the flow": (density, role)}
        lines |= {} if found.exact is None else {"exact q₀": (found.exact.exp(), "data")}
        return [figure_json(profile_figure(lines, found.span, title, "density")), None, note]
    flow = figure_json(heat_figure(density, found.span, title, role))
    if found.exact is None:
        return [flow, None, note]
    return [flow, figure_json(heat_figure(found.exact.exp(), found.span, "exact q₀", "exact")), note]
