"""What is chosen or dragged of path and data moves the picture in the browser; the server is told after."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict

import gradio as gr
from gradio.components import Component

from fmstudio.flow.formulas.custom import Custom
from fmstudio.flow.solve.tableaux import SOLVERS
from fmstudio.learn.catalogue.data import GAUSSIAN_STD
from fmstudio.learn.catalogue.paths import PATHS
from fmstudio.learn.experiment import Experiment
from fmstudio.learn.fields import fields_of
from fmstudio.plots.scene.live import solver_header
from fmstudio.ui.wiring import QUIET

_SAY = 'document.dispatchEvent(new CustomEvent("fm-drag", {{ detail: {} }}));'
_MOVED = "(value) => {{ {} }}"
_CHOSEN = """(path, around, ...values) => {{
  const names = {names}, written = {written}, chosen = written[`${{path}}/${{around}}`] ?? written[path];
  const numbers = Object.fromEntries(names.map((name, k) => [name, values[k]]));
  if (chosen) {say}
}}"""


def wire_dragging(controls: Mapping[str, Component]) -> None:
    """Tell the players of every move and every choice of a path; no request is made."""
    sliders = {n: part for n in fields_of("path") if isinstance(part := controls.get(n), gr.Slider)}
    numbers = list(sliders)
    for name, slider in sliders.items():
        _says(slider, f"{{ numbers: {{ {name}: value }} }}")
    _says(controls["data_noise"], f"{{ spread: Math.hypot({GAUSSIAN_STD}, value) }}")
    chosen = _CHOSEN.format(
        names=json.dumps(numbers),
        written=json.dumps(_written()),
        say=_SAY.format("{ path: chosen, numbers }"),
    )
    path = controls["path"]
    assert isinstance(path, gr.Radio)
    given = [path, controls["around"], *(sliders[name] for name in numbers)]
    path.input(None, given, None, js=chosen, show_progress="hidden")
    _follow_typing(controls["formula_a"], controls["formula_b"])


def _follow_typing(*formulas: Component) -> None:
    """Show the path of two formulas with each character, wherever they make one; nothing is kept of it."""
    typed = gr.Textbox(visible="hidden")
    for formula in formulas:
        assert isinstance(formula, gr.Textbox)
        formula.input(_read, [*formulas], typed, queue=False, trigger_mode="always_last", **QUIET)
    say = _SAY.format("{ path: JSON.parse(value) }")
    typed.change(None, typed, None, js=_MOVED.format(f"if (value) {say}"), show_progress="hidden")


def _read(a: str, b: str) -> str:
    """The path of two formulas as JSON; an empty text where they make none."""
    try:
        return json.dumps(asdict(Custom(a, b).written))
    except ValueError:
        return ""


def wire_sampling(controls: Mapping[str, Component]) -> None:
    """Tell the Sample room's player of its solver and number of steps as they are moved."""
    steps, solver = controls["sample_steps"], controls["solver"]
    assert isinstance(solver, gr.Radio)
    known = {name: solver_header(name) for name, tableau in SOLVERS.items() if not tableau.adaptive}
    _says(steps, '{ player: "sample-player", steps: value }')
    choice = f'{{ player: "sample-player", solver: ({json.dumps(known)})[value] }}'
    solver.input(None, solver, None, js=_MOVED.format(_SAY.format(choice)), show_progress="hidden")


def _says(slider: Component, change: str) -> None:
    assert isinstance(slider, gr.Slider)
    slider.input(None, slider, None, js=_MOVED.format(_SAY.format(change)), show_progress="hidden")


def _written() -> dict[str, dict[str, object]]:
    """The paths' coefficients as text: by name, or by name/around; none of those that are typed or chains."""
    texts: dict[str, dict[str, object]] = {}
    for name, member in PATHS.items():
        if member.chain or name == "custom":
            continue
        for around in member.around or ("",):
            experiment = Experiment().but(path=name, **({"around": around} if around else {}))
            written = member.make(experiment).written
            if written is not None:
                texts[f"{name}/{around}" if around else name] = asdict(written)
    return texts
