"""Core types are values: frozen, hashable, picklable, equal after a round trip."""

from __future__ import annotations

import pickle
from dataclasses import FrozenInstanceError

import pytest

from diagrams import FeynmanRules, cos_net, phi4, qed
from diagrams.graph import FeynmanGraph

NET = cos_net(input_dim=2).at(N=20, sigma_w0=1)
CORRELATORS = NET.connected_correlators(max_points=4)
ACTION = CORRELATORS.action(order=1)
VALUES = {
    "graph": FeynmanGraph(2, ((0, 2), (2, 2), (2, 1))),
    "architecture": NET,
    "correlators": CORRELATORS,
    "correlator": CORRELATORS[4],
    "series": ACTION.coupling(4),
    "action": ACTION,
    "local action": phi4(),
    "rules": FeynmanRules.connected_correlators((4, 6), ACTION.parameters),
    "diagrams": ACTION.coupling(4).diagrams,
    "model": qed(),
}


@pytest.mark.parametrize("value", VALUES.values(), ids=VALUES)
def test_round_trip(value):
    again = pickle.loads(pickle.dumps(value))
    assert again == value
    assert hash(again) == hash(value)
    assert type(again) is type(value)


@pytest.mark.parametrize("value", VALUES.values(), ids=VALUES)
def test_fields_cannot_be_set(value):
    name = next(iter(value.__dataclass_fields__))
    with pytest.raises(FrozenInstanceError):
        setattr(value, name, None)
