"""Scenes drawn ahead are those that a visitor's first clicks ask for."""

from fmstudio.learn.experiment import DATA, PATHS, Experiment
from fmstudio.studio import paths
from fmstudio.studio.session import Visitor
from fmstudio.ui import warm


def test_the_first_clicks_are_one_choice_away_from_the_default() -> None:
    experiments = warm.first_clicks()
    assert Experiment() in experiments
    assert len(experiments) == len(set(experiments))
    assert {e.data for e in experiments} == set(DATA) - {"points"}
    assert {e.path for e in experiments} == set(PATHS) - {"custom"}
    assert all(len(e.changes()) <= 1 for e in experiments)


def test_what_was_drawn_ahead_is_there_when_it_is_asked_for(monkeypatch) -> None:
    monkeypatch.setattr(warm, "PAUSE", 0.0)
    ahead = Experiment(particles=50, seed=77)
    warm.draw_ahead([ahead])
    misses = paths.exact_paths.cache_info().misses
    paths.paths_room(Visitor(experiment=Experiment(particles=50, seed=77)))
    assert paths.exact_paths.cache_info().misses == misses
