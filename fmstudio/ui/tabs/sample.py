"""Sample: what does P do with the field, and how far is it from Q?"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import gradio as gr

from fmstudio.learn.experiment import SOLVERS
from fmstudio.plots.figures import heat_figure, nfe_figure
from fmstudio.ui import actions, words
from fmstudio.ui.live_plot import LivePlot, figure_json
from fmstudio.ui.player import Player
from fmstudio.ui.room import Room
from fmstudio.ui.sidebar import pills, slider
from fmstudio.ui.tabs.report import facts, failed
from fmstudio.ui.visitor import Visitor

FIELDS = (("exact u", False), ("trained net", True))


def build(visitor: gr.State) -> Room:
    """Lay the room out in the current tab."""
    controls: dict[str, Any] = {}
    with gr.Row(elem_classes=["fm-columns"]):
        with gr.Column():
            player = Player(elem_id="sample-player", curves=True, colour="start")
            with gr.Column(elem_classes=["fm-card"], min_width=0):
                gr.Markdown(
                    "#### Error against work\nDistance of the end points to a fine solution, by solver."
                )
                curves = LivePlot(height=320, elem_id="nfe-plot")
                measure = gr.Button("Measure all solvers", size="sm", elem_id="measure-solvers")
            with gr.Column(elem_classes=["fm-card"], min_width=0):
                gr.Markdown(
                    "#### Likelihood\nlog p₀(x₀) = log p₁(x₁) + ∫ div u dt along the flow, as a density; "
                    "beside it the exact one where it is known (mixtures)."
                )
                with gr.Row():
                    learned_map = LivePlot(height=320, elem_id="likelihood-flow")
                    exact_map = LivePlot(height=320, elem_id="likelihood-exact")
                likelihood_note = gr.Markdown("", elem_classes=["fm-note"])
                likelihood = gr.Button("Draw the likelihood", size="sm", elem_id="draw-likelihood")
        with gr.Column(elem_classes=["fm-aside"]):
            with gr.Column(elem_classes=["fm-card", "fm-first"], min_width=0):
                gr.Markdown("#### Sampler")
                use_net = gr.Radio(
                    list(FIELDS), value=False, show_label=False, container=False, elem_classes=["fm-pills"],
                    elem_id="sample-field", interactive=True,
                )  # fmt: skip
                controls["solver"] = pills("solver", SOLVERS, "solver")
                controls["sample_steps"] = slider("sample_steps", "steps (dopri5 chooses its own)", 1)
                controls["sde_noise"] = slider("sde_noise", "SDE noise κ, g = κ σₜ (0: the ODE)", 0.05)
                controls["label"] = gr.Number(
                    -1,
                    label="class (−1: all; needs a conditional experiment)",
                    precision=0,
                    minimum=-1,
                    maximum=63,
                )
                controls["guidance"] = slider("guidance", "guidance w", 0.1)
                go = gr.Button("Sample", variant="primary", elem_id="sample-go")
                stop = gr.Button("Stop", size="sm", elem_id="sample-stop")
            with gr.Column(elem_classes=["fm-card"], min_width=0):
                gr.Markdown("#### Measured")
                measured = gr.HTML(facts([]), elem_id="sample-facts")
            with gr.Column(elem_classes=["fm-card"], min_width=0):
                gr.Markdown(words.text("sample"))

    def draw_particles(state: Visitor, net: bool) -> tuple[Any, str]:
        try:
            scene, motion, distance = actions.sample_room(state, net)
            quality = actions.sample_quality(state.experiment, motion.positions[-1])
        except ValueError as error:
            return gr.skip(), failed(error)
        floor = float(distance.band[-1, 1])
        return scene, facts([
            ("NFE", f"{motion.nfe:,}"),
            ("time", f"{motion.seconds:.2f} s"),
            ("particles", f"{motion.positions.shape[1]:,}"),
            ("energy distance to data", f"{quality:.4f}"),
            ("two fresh samples differ by up to", f"{floor:.4f}"),
            ("largest distance over t", f"{float(distance.values.max()):.4f}"),
        ])  # fmt: skip

    def solvers(state: Visitor, net: bool) -> Iterator[Any]:
        done: dict[str, tuple[list[int], list[float]]] = {}
        try:
            for curve in actions.error_curves(state, net):
                done[curve.solver] = (curve.nfe, curve.error)
                yield figure_json(
                    nfe_figure(done, "distance to 400 RK4 steps", "learned" if net else "exact")
                )
        except ValueError as error:
            gr.Warning(str(error), title="Not measured")
            yield gr.skip()

    def maps(state: Visitor, net: bool) -> tuple[Any, Any, str]:
        try:
            found = actions.likelihood_map(state, net)
        except ValueError as error:
            gr.Warning(str(error), title="Not drawn")
            return gr.skip(), gr.skip(), ""
        density = found.flow.exp()
        cell = (2 * found.span / (density.shape[0] - 1)) ** 2
        title = (
            "p₀ by the flow"
            if found.t == 0
            else f"p at t = {found.t:g} by the flow (points have no density at 0)"
        )
        note = f"Sum over the grid: {float(density.sum()) * cell:.3f} (a density sums to 1)."
        flow = figure_json(heat_figure(density, found.span, title, "learned" if net else "exact"))
        if found.exact is None:
            return flow, gr.skip(), note + " The data are points: there is no exact density to compare with."
        gap = (found.flow - found.exact)[found.exact > -8].abs().mean()
        note += f" Mean |log p₀ − log q₀| where q₀ > e⁻⁸: {float(gap):.3f}."
        return flow, figure_json(heat_figure(found.exact.exp(), found.span, "exact q₀", "exact")), note

    quiet: dict[str, Any] = {"show_progress": "hidden", "api_visibility": "private"}
    inputs = [visitor, use_net]
    running = go.click(draw_particles, inputs, [player, measured], api_visibility="private")
    measuring = measure.click(solvers, inputs, curves, **quiet)
    drawing = likelihood.click(
        maps, inputs, [learned_map, exact_map, likelihood_note], api_visibility="private"
    )
    stop.click(None, None, None, cancels=[running, measuring, drawing], **quiet)

    def repaint(state: Visitor) -> list[Any]:
        net = actions.net_field(state) is not None and not actions.has_closed_form(state.experiment)
        shown, numbers = draw_particles(state, net)
        return [shown, numbers]

    return Room(controls=controls, repaint=repaint, outputs=[player, measured])
