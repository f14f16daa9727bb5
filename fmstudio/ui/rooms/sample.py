"""Sample: what does P do with the field, and how far is it from Q?"""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import wait
from typing import Any

import gradio as gr

from fmstudio.learn.nets.net_card import NO_CLOSED_FORM
from fmstudio.plots.figures import heat_figure, nfe_figure, profile_figure
from fmstudio.plots.plain import in_html
from fmstudio.ui import actions, quality, sampling, words
from fmstudio.ui.live_plot import LivePlot, figure_json
from fmstudio.ui.player import Player
from fmstudio.ui.report import facts, failed
from fmstudio.ui.room import Room
from fmstudio.ui.sidebar import numbers, pills, slider
from fmstudio.ui.stoppable import Stopped, begin
from fmstudio.ui.told import warn
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
                controls["solver"] = pills("solver", "solver")
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
            found = sampling.sample_room(state, actions.samples_the_net(state), tell)
            good = quality.quality_of(found.chosen.experiment, found.motion.positions[-1])
            better = quality.heun_instead(state, found.chosen, found.motion)
        except (ValueError, RuntimeError) as error:
            return gr.skip(), failed(error)
        except Stopped:
            return gr.skip(), gr.skip()
        return found.scene, facts(_measured(found, good)) + _offer(better)

    def sample(state: Visitor, progress: gr.Progress = _PROGRESS) -> Iterator[list[Any]]:
        begin(state)
        work = state.work
        yield [gr.skip(), gr.skip(), gr.update(interactive=True)]
        scene, said = drawn(state, _telling(progress, "steps of the sampler"))
        if state.work == work:
            yield [scene, said, gr.update(interactive=False)]

    def choose(state: Visitor, net: bool) -> dict[Any, Any]:
        if net or actions.has_closed_form(state.experiment):
            state.use_net = net
            return {}
        warn(NO_CLOSED_FORM.format(coupling=state.experiment.coupling))
        return {use_net: actions.samples_the_net(state)}

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
            warn(error)
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
            warn(error)
        except Stopped:
            pass
        if state.work == work:
            yield [*shown, gr.update(interactive=False)]

    def after_the_picture(state: Visitor) -> bool:
        """Let a picture that is under way be finished, then begin; false where Stop was pressed meanwhile."""
        work, pending = state.work, state.pending
        if pending is not None:
            wait([pending.coming])
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
        shows = (_field_of(state), id(state.checkpoint), actions.samples_the_net(state))
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
        view=lambda state: state.use_net,
        of_net=lambda state: True,
        looks=[(use_net, choose)],
    )


def _hint(state: Visitor) -> str:
    """What must be known about the field, the sampler and the path; nothing where no field is followed."""
    try:
        chosen = actions.followed(state, actions.samples_the_net(state))
    except ValueError:
        return ""
    return words.sampler_hint(chosen, quality.wrong_start(chosen.experiment))


def _measured(found: sampling.Sampled, good: quality.Quality) -> list[tuple[str, str]]:
    """The figures of the samples, each with what it was measured on and what chance would say."""
    motion, distance, chosen = found.motion, found.measured, found.chosen
    particles = motion.positions.shape[1]
    of = "all particles" if good.count == particles else f"{good.count:,} of them"
    name = sampling.class_name(chosen)
    data = f"data of {name}" if name else "data"
    return [
        *([("guidance", f"{chosen.guidance:g}")] if chosen.guidance != 1 else []),
        ("NFE", f"{motion.nfe:,}"),
        ("time", f"{motion.seconds:.2f} s"),
        ("particles", f"{particles:,}"),
        (f"energy distance to {data}, {of}", words.number(good.energy)),
        ("two fresh samples of as many", f"0 ± {good.energy_chance:.4f}"),
        (f"sliced W₂ to {data}, {of}", words.number(good.sliced)),
        ("two fresh samples of as many", f"{good.sliced_chance.mean:.4f} ± {good.sliced_chance.std:.4f}"),
        ("farthest particle; of the data", f"{good.farthest:.2f}; {good.data_farthest:.2f}"),
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
    of, w = sampling.class_name(found.chosen), found.chosen.guidance
    by = "by the flow" if w == 1 else f"by the flow guided with w = {w:g}"
    of = f" of {in_html(of)}" if of else ""
    title = f"p₀{of} {by}"
    if found.t > 0:
        title = f"p{of} at t = {found.t:g} {by} (points have no density at 0)"
    cell = (2 * found.span / (density.shape[0] - 1)) ** density.ndim
    note = f"Sum over the grid: {float(density.sum()) * cell:.3f} (a density sums to 1)."
    if found.gap is None:
        note += " The data are points: there is no exact density to compare with."
    else:
        note += f" Mean |log p₀ − log q₀|{of} where q₀ > e⁻⁸: {found.gap:.3f}."
    if w != 1:
        note += " A guided flow does not end in q₀, even where it is exact: the difference is the guidance's."
    if found.wrong_start is not None:
        known = "start" if found.exact is not None else "start of points"
        note += " " + words.sections("sample-figures")[known].format(nats=words.nats(found.wrong_start))
    if density.ndim == 1:
        lines = {by: (density, role)}
        lines |= {} if found.exact is None else {f"exact q₀{of}": (found.exact.exp(), "data")}
        return [figure_json(profile_figure(lines, found.span, title, "density")), None, note]
    flow = figure_json(heat_figure(density, found.span, title, role))
    if found.exact is None:
        return [flow, None, note]
    return [flow, figure_json(heat_figure(found.exact.exp(), found.span, f"exact q₀{of}", "exact")), note]
