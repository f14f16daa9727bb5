"""What the Sample room shows: figures of the samples, a hint, curves, and maps of the likelihood."""

from __future__ import annotations

from fmstudio.plots.figures import heat_figure, nfe_figure, profile_figure
from fmstudio.plots.plain import in_html
from fmstudio.studio import paths, quality, sample
from fmstudio.studio.session import Visitor
from fmstudio.ui import words
from fmstudio.ui.live_plot import figure_json
from fmstudio.ui.report import facts
from fmstudio.ui.rooms.sample.controls import Controls
from fmstudio.ui.wiring import Updates


def figures_html(found: sample.Sampled, good: quality.Quality, better: quality.Better | None) -> str:
    """What was measured of the samples, and what Heun's steps would do."""
    return facts(_measured(found, good)) + _offer(better)


def hint(state: Visitor) -> str:
    """What must be known about the field, the sampler and the path; nothing where no field is followed."""
    try:
        chosen = paths.followed(state, paths.samples_the_net(state))
    except ValueError:
        return ""
    return words.sampler_hint(chosen, quality.wrong_start(chosen.experiment))


def curves(done: list[sample.ErrorCurve], net: bool) -> str:
    """Error against work of the solvers that were measured so far."""
    shown = {curve.solver: (curve.nfe, curve.error) for curve in done}
    return figure_json(nfe_figure(shown, "distance to 400 RK4 steps", "learned" if net else "exact"))


def _measured(found: sample.Sampled, good: quality.Quality) -> list[tuple[str, str]]:
    """The figures of the samples, each with what it was measured on and what chance would say."""
    motion, distance, chosen = found.motion, found.measured, found.chosen
    particles = motion.positions.shape[1]
    of = "all particles" if good.count == particles else f"{good.count:,} of them"
    name = sample.class_name(chosen)
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


def likelihood(room: Controls, found: sample.LikelihoodMap, net: bool) -> Updates:
    """The flow's density, the exact one where it is known, and a note that compares them."""
    density, role = found.flow.exp(), "learned" if net else "exact"
    w, of = found.chosen.guidance, _of(found)
    by = "by the flow" if w == 1 else f"by the flow guided with w = {w:g}"
    title = f"p₀{of} {by}"
    if found.t > 0:
        title = f"p{of} at t = {found.t:g} {by} (points have no density at 0)"
    known = None if found.exact is None else found.exact.exp()
    if density.ndim == 1:
        lines = {by: (density, role)}
        lines |= {} if known is None else {f"exact q₀{of}": (known, "data")}
        flow, exact = profile_figure(lines, found.span, title, "density"), None
    else:
        flow = heat_figure(density, found.span, title, role)
        exact = None if known is None else heat_figure(known, found.span, f"exact q₀{of}", "exact")
    return {
        room.flow_map: figure_json(flow),
        room.exact_map: None if exact is None else figure_json(exact),
        room.likelihood_note: _likelihood_note(found),
    }


def _of(found: sample.LikelihoodMap) -> str:
    name = sample.class_name(found.chosen)
    return f" of {in_html(name)}" if name else ""


def _likelihood_note(found: sample.LikelihoodMap) -> str:
    density, of = found.flow.exp(), _of(found)
    cell = (2 * found.span / (density.shape[0] - 1)) ** density.ndim
    note = f"Sum over the grid: {float(density.sum()) * cell:.3f} (a density sums to 1)."
    if found.gap is None:
        note += " The data are points: there is no exact density to compare with."
    else:
        note += f" Mean |log p₀ − log q₀|{of} where q₀ > e⁻⁸: {found.gap:.3f}."
    if found.chosen.guidance != 1:
        note += " A guided flow does not end in q₀, even where it is exact: the difference is the guidance's."
    if found.wrong_start is not None:
        known = "start" if found.exact is not None else "start of points"
        note += " " + words.sections("sample-figures")[known].format(nats=words.nats(found.wrong_start))
    return note
