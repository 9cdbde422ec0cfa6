"""Peak memory of a process that measures connected correlators of a number of networks, printed as JSON.

Memory does not depend on the number of networks where nothing is stored for each of them. The process is a fresh one,
so that the peak is that of this work with everything imported and compiled for it.
"""

from __future__ import annotations

import argparse
import json
import re
import resource
import sys
import time
from pathlib import Path

import numpy as np

from diagrams import cos_net
from numerics import Ensemble


def peak_bytes() -> int:
    """Return the largest resident memory of this process so far.

    ``getrusage`` is the second choice: on Linux its value starts at the peak of the process that started this one.
    """
    status = Path("/proc/self/status")
    if status.exists():
        return 1024 * int(re.search(r"VmHWM:\s*(\d+) kB", status.read_text())[1])
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--networks", type=lambda text: int(float(text)), required=True)
    parser.add_argument("--width", type=int, default=100)
    parser.add_argument("--points", type=int, default=6)
    arguments = parser.parse_args()
    net = cos_net(input_dim=1).at(N=arguments.width, sigma_w0=1, sigma_w1=1)
    x = np.linspace(-1, 1, arguments.points)[:, None]
    ensemble = Ensemble(net, n_nets=arguments.networks, seed=0, dtype="float32")
    start = time.perf_counter()
    ensemble.connected_correlators(x, max_points=4)
    seconds = time.perf_counter() - start
    print(json.dumps({"seconds": seconds, "peak_MB": peak_bytes() / 1e6}))


if __name__ == "__main__":
    main()
