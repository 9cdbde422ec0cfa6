from __future__ import annotations

import hashlib
import subprocess
import sys

import numpy as np

SCRIPT = """
import hashlib, sys, numpy as np
from diagrams import cos_net
from numerics import Ensemble
ensemble = Ensemble(cos_net().at(N=3, sigma_w0=1, sigma_w1=1), n_nets=1000, seed=5, dtype="float32")
sums = ensemble.block_sums(np.linspace(-1, 1, 3)[:, None]).sums
print(hashlib.sha256(sums.tobytes()).hexdigest())
"""


def test_kernels_from_the_cache_add_in_the_same_order(tmp_path, monkeypatch):
    monkeypatch.setenv("NNFT_CACHE_DIR", str(tmp_path))
    compiled, cached = (
        subprocess.run([sys.executable, "-c", SCRIPT], capture_output=True, text=True, check=True).stdout
        for _ in range(2)
    )
    assert list(tmp_path.rglob("*.nbc"))
    assert compiled == cached
    assert compiled.strip() != hashlib.sha256(np.zeros(8).tobytes()).hexdigest()
