"""Sample: what does P do with the field, and how far is it from Q?"""

from __future__ import annotations

from collections.abc import Generator, Iterator
from concurrent.futures import wait
from contextlib import contextmanager
from dataclasses import dataclass

import gradio as gr

from fmstudio.learn.experiment import Experiment
from fmstudio.learn.nets.net_card import NO_CLOSED_FORM, Chosen, has_closed_form
from fmstudio.studio import paths, quality, sample
from fmstudio.studio.running import Action, GoOn, Stopped
from fmstudio.studio.session import Measured, Visitor
from fmstudio.ui.report import failed, warn
from fmstudio.ui.room import Room
from fmstudio.ui.rooms.sample import figures
from fmstudio.ui.rooms.sample.controls import Controls
from fmstudio.ui.wiring import QUIET, Updates

_PROGRESS = gr.Progress()


def build(visitor: gr.State) -> Room:
    """Lay the room out in the current tab."""
    room = Controls()
    acts, stop, note = _Acts(room), room.stop, room.likelihood_note
    room.go.click(
        acts.sample, visitor, [room.player, room.measured, stop],
        show_progress_on=room.measured, api_visibility="private",
    )  # fmt: skip
    room.measure.click(acts.solvers, visitor, [room.curves, stop], **QUIET)
    room.likelihood.click(
        acts.maps, visitor, [room.flow_map, room.exact_map, note, stop],
        show_progress_on=note, api_visibility="private",
    )  # fmt: skip
    stop.click(acts.stopped, visitor, stop, **QUIET)
    return Room(
        controls=room.of_experiment,
        repaint=acts.repaint,
        outputs=[room.player, room.measured, stop, room.use_net, room.hint, *room.on_demand],
        under_way={stop: gr.update(interactive=True)},
        view=lambda state: state.rooms.use_net,
        of_net=lambda state: True,
        looks=[(room.use_net, acts.choose)],
    )


@dataclass(frozen=True, eq=False)
class _Acts:
    """What the room's buttons do. Whatever begins ends what is under way; what has ended may still be drawn,
    but leaves the Stop button to what has begun since.

    Args:
        room: its controls.
    """

    room: Controls

    def repaint(self, state: Visitor) -> Updates:
        """Sample anew. Figures on demand of another field go; another sampler leaves them right."""
        room = self.room
        with state.running.instead(sample.SAMPLING) as action:
            updates = self._drawn(state, action.go_on) | self._at_rest(action)
        use_net = paths.samples_the_net(state)
        shows = Measured(_field_of(state), state.net.mark(), use_net)
        if state.rooms.measured != shows:
            updates |= {part: "" if part is room.likelihood_note else None for part in room.on_demand}
        state.rooms.measured = shows
        return updates | {room.use_net: use_net, room.hint: figures.hint(state)}

    def sample(self, state: Visitor, progress: gr.Progress = _PROGRESS) -> Iterator[Updates]:
        """Sample."""
        with state.running.instead(sample.SAMPLING) as action:
            yield self._under_way()
            drawn = self._drawn(state, _telling(action, progress, "steps of the sampler"))
            if not action.halted:
                yield drawn | self._at_rest(action)

    def _drawn(self, state: Visitor, go_on: GoOn) -> Updates:
        """The particles and what was measured of them, with the field that the visitor's choices mean."""
        try:
            found = sample.sample_room(_chosen(state), go_on)
            good = quality.quality_of(found.chosen.experiment, found.motion.positions[-1])
            better = quality.heun_instead(found.chosen, found.motion, go_on)
        except (ValueError, RuntimeError) as error:
            return {self.room.measured: failed(error)}
        except Stopped:
            return {}
        return {
            self.room.player: found.scene,
            self.room.measured: figures.figures_html(found, good, better),
        }

    def solvers(self, state: Visitor) -> Iterator[Updates]:
        """Measure all solvers: error against work, one curve at a time."""
        with _after_the_picture(state) as action:
            if action.halted:
                return
            net, done = paths.samples_the_net(state), list[sample.ErrorCurve]()
            yield self._under_way()
            try:
                for curve in sample.error_curves(_chosen(state), go_on=action.go_on):
                    done.append(curve)
                    yield {self.room.curves: figures.curves(done, net)}
            except (ValueError, RuntimeError) as error:
                warn(error)
            except Stopped:
                pass
            if not action.halted:
                yield self._at_rest(action)

    def maps(self, state: Visitor, progress: gr.Progress = _PROGRESS) -> Iterator[Updates]:
        """Draw the likelihood."""
        with _after_the_picture(state) as action:
            if action.halted:
                return
            net, shown = paths.samples_the_net(state), Updates()
            yield self._under_way()
            try:
                go_on = _telling(action, progress, "steps of the flow")
                found = sample.likelihood_map(_chosen(state), go_on=go_on)
                shown = figures.likelihood(self.room, found, net)
            except (ValueError, RuntimeError) as error:
                warn(error)
            except Stopped:
                pass
            if not action.halted:
                yield shown | self._at_rest(action)

    def stopped(self, state: Visitor) -> Updates:
        """Stop."""
        state.running.halt(sample.SAMPLING)
        return {self.room.stop: gr.update(interactive=False)}

    def choose(self, state: Visitor, net: bool) -> Updates:
        """The net's field, or the exact one where it is known."""
        if net or has_closed_form(state.experiment):
            state.rooms.use_net = net
            return {}
        warn(NO_CLOSED_FORM.format(coupling=state.experiment.coupling))
        return {self.room.use_net: paths.samples_the_net(state)}

    def _under_way(self) -> Updates:
        return {self.room.stop: gr.update(interactive=True)}

    def _at_rest(self, action: Action) -> Updates:
        """What has begun meanwhile can be stopped."""
        return {} if action.halted else {self.room.stop: gr.update(interactive=False)}


@contextmanager
def _after_the_picture(state: Visitor) -> Generator[Action]:
    """Let a picture that is under way be finished, then begin; halted where Stop was pressed meanwhile."""
    with state.running.beside(sample.SAMPLING) as waiting:
        pending = state.browser.pending
        if pending is not None:
            wait([pending.coming])
        if waiting.halted:
            yield waiting
            return
    with state.running.instead(sample.SAMPLING) as action:
        yield action


def _chosen(state: Visitor) -> Chosen:
    """The field that the visitor's choices mean."""
    return paths.followed(state, paths.samples_the_net(state))


def _field_of(state: Visitor) -> Experiment:
    """The experiment without what only concerns how its field is sampled and shown."""
    return state.experiment.but(solver="euler", sample_steps=1, sde_noise=0, particles=10, frames=2)


def _telling(action: Action, progress: gr.Progress, unit: str) -> GoOn:
    def go_on(done: int, calls: int) -> None:
        action.go_on()
        if calls:
            progress((done, calls), unit=unit)

    return go_on
