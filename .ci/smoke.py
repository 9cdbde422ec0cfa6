"""What an installed nnft has to do, run outside of the checkout: every public name, the main job, the command line."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np

import diagrams
import numerics
from diagrams import cos_net, phi4, qed
from numerics import Ensemble, compare, lower, point_action
from numerics.cli import main

here = Path.cwd().resolve()
for package in (diagrams, numerics):
    assert here not in Path(package.__file__).resolve().parents, f"{package.__file__} is not the installed package"
    assert all(hasattr(package, name) for name in package.__all__)
    assert (Path(package.__file__).parent / "py.typed").exists()

G2 = phi4().diagrams(legs=2, max_loops=2)
assert [(d.n_loops, d.symmetry_factor) for d in G2] == [(0, 1), (1, 2), (2, 4), (2, 4), (2, 6)]
assert len(qed().diagrams(("psi", "psi*"), loops=2)) == 10
net = cos_net(input_dim=1)
S = net.connected_correlators(max_points=6).action(order=2)
assert len(S.to_latex(terms_per_line=2)) > 500
net20 = net.at(N=20, sigma_w0=1, sigma_w1=1)
x = np.linspace(-1, 1, 3)[:, None]
for method, n_nets in (("network", 100_000), ("conditional", 10_000), ("neuron", 10_000)):
    measured = Ensemble(net20, n_nets=n_nets, seed=0).connected_correlators(x, max_points=4, method=method)
    assert compare(net20, measured).is_compatible(max_pull=5), method
f = lower(net20.connected_correlators(max_points=4)[4])
assert np.isfinite(f(*np.ones((4, 5, 1)))).all()
assert point_action(net20, x[:2], order=2).couplings[4].shape == (2, 2, 2, 2)
for arguments in (["info"], ["enumerate", "--legs", "4"], ["action", "--out", "action"], ["check", "--nets", "20000"]):
    assert main(arguments) == 0, arguments
assert subprocess.run([Path(sys.executable).parent / "nnft", "info", "--json"], check=True, capture_output=True).stdout
print("smoke test passed on Python", sys.version.split()[0], "with numpy", np.__version__)
