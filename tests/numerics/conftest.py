"""A CUDA device that is played by the C++ compiler: the text of kernels runs on the host, threads and barriers too."""

from __future__ import annotations

import ctypes
import shutil
import subprocess
import sys
import threading
import types

import numpy as np
import pytest

from numerics.kernels.layout import SumLayout

UNIT = 256  # networks of a partial sum: two groups of lanes

_DEVICE = """
#include <pthread.h>
#define __global__
#define __shared__ static
#define __launch_bounds__(n)
#define __syncthreads() pthread_barrier_wait(&barrier)
struct Place { unsigned int x; };
static thread_local Place blockIdx, threadIdx, blockDim, gridDim;
static pthread_barrier_t barrier;
extern "C" void meet(unsigned int n) { pthread_barrier_init(&barrier, 0, n); }
extern "C" void place(unsigned int block, unsigned int thread, unsigned int size, unsigned int blocks) {
    blockIdx.x = block; threadIdx.x = thread; blockDim.x = size; gridDim.x = blocks;
}
"""


class HostArray(np.ndarray):
    def get(self):
        return np.array(self)


def _module(folder, code: str):
    """Stand in for ``cupy.RawModule``: blocks run one after the other, the threads of one with barriers together."""
    number = len(list(folder.iterdir()))
    source, library = folder / f"device{number}.cpp", folder / f"device{number}.so"
    source.write_text(_DEVICE + code)
    options = ["-std=c++17", "-O1", "-ffp-contract=off", "-shared", "-fPIC", "-pthread"]
    subprocess.run([shutil.which("g++"), *options, source, "-o", library], check=True)
    loaded = ctypes.CDLL(str(library))

    def get_function(name: str):
        function = getattr(loaded, name)
        _, _, body = code.partition(f"\n{name}(")
        has_barriers = "__syncthreads" in body.partition("\n}\n")[0]

        def launch(grid, block, arguments):
            values = [np.ctypeslib.as_ctypes(np.asarray(a)) if np.ndim(a) == 0 else ctypes.c_void_p(a.ctypes.data)
                      for a in arguments]  # fmt: skip

            def run(b: int, thread: int) -> None:
                loaded.place(b, thread, block[0], grid[0])
                function(*values)

            for b in range(grid[0]):
                if not has_barriers:
                    for thread in range(block[0]):
                        run(b, thread)
                    continue
                loaded.meet(block[0])
                threads = [threading.Thread(target=run, args=(b, thread)) for thread in range(block[0])]
                for thread in threads:
                    thread.start()
                for thread in threads:
                    thread.join()

        return launch

    return types.SimpleNamespace(get_function=get_function)


@pytest.fixture
def cupy_on_the_host(monkeypatch, tmp_path):
    """A module ``cupy`` whose device has blocks of eight threads, with small units so that blocks have several."""
    if shutil.which("g++") is None:
        pytest.skip("needs the C++ compiler g++")
    folder = tmp_path / "device"
    folder.mkdir()
    device = types.SimpleNamespace(compute_capability="90", attributes={"MultiProcessorCount": 1})
    fake = types.SimpleNamespace(
        cuda=types.SimpleNamespace(
            runtime=types.SimpleNamespace(getDeviceCount=lambda: 1), Device=lambda: device
        ),
        asarray=lambda a, dtype=None: np.array(a, dtype=dtype).view(HostArray),
        empty=lambda shape, dtype=np.float64: np.full(shape, np.nan, dtype=dtype).view(HostArray),
        RawModule=lambda code, options: _module(folder, code),
    )  # fmt: skip
    monkeypatch.setitem(sys.modules, "cupy", fake)
    layout = lambda n_fields, max_points, dtype, has_weights=False: SumLayout(n_fields, max_points, 2, 8, UNIT)  # noqa: E731
    monkeypatch.setattr(SumLayout, "fitting", layout)
    monkeypatch.setattr("numerics.kernels.cuda.UNIT", UNIT)
