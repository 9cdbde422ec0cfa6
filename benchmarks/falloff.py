"""The fall-off experiment of arXiv:2008.08601 in one dimension: 3 nets, 10 widths, 10^6 networks at each.

The peer draws the same networks in batches with numpy and averages products of outputs over unique index tuples, as one
would write it by hand; it is timed on fewer networks of the widest nets that it can do and scaled.
"""

from __future__ import annotations

import argparse
import time
import warnings
from itertools import combinations_with_replacement
from pathlib import Path
from typing import Any

import numpy as np
from _record import write
from scipy.special import erf

from numerics import fall_off, published_inputs, published_net
from numerics.published import WIDTHS

OPTIONS: dict[str, dict[str, Any]] = {
    "relu": {"method": "network"},
    "erf": {"method": "network"},
    "gauss": {"method": "neuron", "sampling": "importance"},
}
BATCH = 2000


def peer_seconds(name: str, n_nets: int) -> float:
    """Return seconds of batched numpy for all widths, from a run of fewer networks."""
    x, rng = published_inputs(name)[:, 0], np.random.default_rng(0)
    bias = 0.0 if name == "relu" else 1.0
    feature = {"relu": lambda z: np.maximum(z, 0), "erf": erf, "gauss": np.exp}[name]
    tuples = {n: np.array(list(combinations_with_replacement(range(len(x)), n))) for n in (2, 4, 6)}
    total = 0.0
    for width in WIDTHS:
        batch = max(20, min(BATCH, 200_000 // width))
        repeat = 3
        start = time.perf_counter()
        for _ in range(repeat):
            w0, b0 = rng.standard_normal((2, batch, width, 1))
            w1 = rng.standard_normal((batch, width)) / np.sqrt(width)
            h = feature(w0 * x + bias * b0)
            f = np.einsum("bn,bnx->bx", w1, h) + bias * rng.standard_normal((batch, 1))
            for t in tuples.values():
                np.prod(f[:, t], axis=2).mean(axis=0)
        total += (time.perf_counter() - start) / (repeat * batch) * n_nets
    return total


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, default=Path("results"))
    parser.add_argument("--quick", action="store_true", help="10^5 networks")
    arguments = parser.parse_args()
    n_nets, rows = 10**5 if arguments.quick else 10**6, []
    warnings.simplefilter("ignore")  # of heavy tails at N = 2, which are part of the experiment
    for name, options in OPTIONS.items():
        net, x = published_net(name), published_inputs(name)
        fall_off(net, x, (2, 3), n_nets=4096, **options)  # compiles
        start = time.perf_counter()
        found = fall_off(net, x, n_nets=n_nets, seed=1, **options)
        seconds = time.perf_counter() - start
        peer = peer_seconds(name, n_nets)
        slopes = {s: found.slope(s) for s in ("4", "6", "6c") if found.seen(s).sum() > 1}
        rows.append({"net": name, **options, "n_nets": n_nets, "seconds": seconds, "peer_seconds": peer,
                     "max_pull": found.max_pull, "slopes": slopes})  # fmt: skip
        print(f"{name:6} {seconds:7.1f} s, batched numpy {peer:7.0f} s, max pull {found.max_pull:.1f}", flush=True)
    print(f"total {sum(r['seconds'] for r in rows):.0f} s")
    print(write(arguments.out, "falloff", rows, packages=("numpy", "numba", "scipy", "nnft"), widths=WIDTHS))


if __name__ == "__main__":
    main()
