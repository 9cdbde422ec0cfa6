"""phi^4 networks in d = 1: effective samples per CPU second of every sampler, and what integration by parts gains.

Mass 1, cutoff 10. An effective sample is one of the slowest of Delta S, the field at five points and its square
(arviz-stats, bulk). Rows "ours" count everything: tuning, warm-up and measurement of the fields. Peers sample the same
density: nutpie's NUTS with the same compiled energy and gradient, momenta mapped to the line by tanh and phases
normal with a width of many turns; a NumPy HMC vectorised over chains moves as ours does, so that its effective
samples are ours per trajectory, and only its time per gradient is measured.
"""

from __future__ import annotations

import argparse
import importlib.util
import time
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from _record import write

from diagrams import phi4_net
from numerics import Ensemble
from numerics.chain_tuning import Chains, slow_quantities, tuned
from numerics.kernels.scalar_chains import chain_kernels
from numerics.scalar_density import ScalarDensity

POINTS = np.array([[-1.0], [-0.5], [0.0], [0.5], [1.0]])
CASES = [(1, 8, 256), (1, 8, 1024), (5, 8, 256), (20, 20, 256), (100, 20, 256)]  # lambda, box, N
PARTS = [0.1, 1, 5]
CHAINS = 16


def density_of(lam: float, box: float, width: int) -> ScalarDensity:
    net = phi4_net(mass=1, cutoff=10, coupling=lam, box=box).at(N=width)
    return ScalarDensity.of(Ensemble(net, n_nets=16_000, seed=1))


def timed(call: Callable[[], Any]) -> tuple[float, Any]:
    start = time.process_time()
    result = call()
    return time.process_time() - start, result


def worth(fields: np.ndarray, actions: np.ndarray) -> float:
    from arviz_stats.base import array_stats

    return float(array_stats.ess(slow_quantities(fields, actions), chain_axis=0, draw_axis=1, method="bulk").min())


def chains(density: ScalarDensity, method: str, n_draws: int) -> dict[str, Any]:
    def run() -> Any:
        state = [a[:CHAINS] for a in density.draw((0, 0, CHAINS))]
        moving = Chains(density, state, POINTS, 3)
        tuning = tuned(moving, method)
        moving.run(tuning, 200)
        return tuning, moving.run(tuning, n_draws)

    run_once = Chains(density, [a[:2] for a in density.draw((0, 0, 2))], POINTS, 1)
    run_once.run(tuned(run_once, method), 5)  # compiled
    seconds, (tuning, (fields, actions, accepted, _)) = timed(run)
    size = worth(fields, actions)
    return {
        "ess_per_second": size / seconds, "ess_per_draw": size / actions.size, "n_leaps": tuning.n_leaps,
        "acceptance": float(accepted[..., 1].mean()), "cpu_seconds": seconds,
    }  # fmt: skip


def reweighting(density: ScalarDensity, n_nets: int) -> dict[str, Any]:
    ensemble = Ensemble(density.ensemble.architecture, n_nets=n_nets, seed=2)
    ensemble.sample(POINTS, count=200)
    seconds, samples = timed(lambda: ensemble.sample(POINTS))
    size = samples.effective_sample_size
    return {"ess_per_second": size / seconds, "ess_per_draw": size / n_nets, "cpu_seconds": seconds}


def nutpie_rate(density: ScalarDensity, n_draws: int) -> dict[str, Any]:
    """NUTS on z, u with k = Lambda tanh(u), and c normal with width 5 (wrapped: uniform to 4e-6)."""
    import nutpie
    from nutpie.compiled_pyfunc import from_pyfunc

    n, padded, top = density.width, -(-density.width // 64) * 64, density.radius
    z, k, c = np.zeros(padded), np.zeros((1, padded)), np.zeros(padded)
    grad = np.zeros(padded), np.zeros((1, padded)), np.zeros(padded)
    energy, grid = chain_kernels().energy_and_gradient, density.grid

    def log_density(x: np.ndarray, **_: Any) -> tuple[float, np.ndarray]:
        u = np.tanh(x[n : 2 * n])
        z[:n], k[0, :n], c[:n] = x[:n], top * u, x[2 * n :]
        action, _ = energy(z, k, c, *grid, *grad)
        logp = -action - 0.5 * (x[:n] @ x[:n]) - 0.02 * (c[:n] @ c[:n]) + np.log1p(-u * u).sum()
        slope = np.concatenate(
            [-grad[0][:n] - x[:n], -grad[1][0, :n] * top * (1 - u * u) - 2 * u, -grad[2][:n] - 0.04 * c[:n]]
        )
        return logp, slope

    model = from_pyfunc(
        3 * n, lambda: log_density, lambda *a, **b: lambda x, **_: {"x": x}, [np.dtype("float64")], [(3 * n,)], ["x"]
    )
    start = time.process_time()
    trace = nutpie.sample(model, draws=n_draws, tune=n_draws, chains=2, cores=2, seed=1, progress_bar=False)
    seconds = time.process_time() - start
    x = trace.posterior["x"].values
    shape = x.shape[:2]
    fields, actions = np.empty((*shape, len(POINTS))), np.empty(shape)
    amplitude = density.constant * ((top * np.tanh(x[..., n : 2 * n])) ** 2 + 1) ** -density.power / n**0.5
    for i, p in enumerate(POINTS[:, 0]):
        fields[..., i] = (x[..., :n] * amplitude * np.cos(top * np.tanh(x[..., n : 2 * n]) * p + x[..., 2 * n :])).sum(
            -1
        )
    for at in np.ndindex(*shape):
        z[:n], k[0, :n], c[:n] = x[at][:n], top * np.tanh(x[at][n : 2 * n]), x[at][2 * n :]
        actions[at] = energy(z, k, c, *grid, *grad)[0]
    steps = float(trace.sample_stats["n_steps"].mean()) if "n_steps" in trace.sample_stats else float("nan")
    size = worth(fields, actions)
    return {
        "ess_per_second": size / seconds,
        "ess_per_draw": size / actions.size,
        "n_leaps": steps,
        "cpu_seconds": seconds,
    }


def numpy_gradient_seconds(density: ScalarDensity) -> float:
    """CPU seconds of one energy with gradient of one chain, in NumPy over all chains at once."""
    z, k, c = (a[:CHAINS, ..., : density.width] for a in density.draw((0, 0, CHAINS)))
    nodes = (density.starts[:, None, 0] + density.step * np.arange(density.table.shape[1])).ravel()
    table = density.table.reshape(len(nodes), -1)
    used = np.abs(table).sum(axis=1) > 0
    nodes, table = nodes[used], table[used]
    slopes = table[:, 1:] * np.arange(1, table.shape[1])

    def gradient() -> Any:
        u = k[:, 0] ** 2 + density.mass**2
        amplitude = density.constant * u**-density.power / density.width**0.5
        w = z * amplitude
        phase = k[:, 0, :, None] * nodes + c[:, :, None]
        cosine, sine = np.cos(phase), np.sin(phase)
        phi = np.einsum("cn,cnq->cq", w, cosine)
        value = np.zeros(len(phi))
        force = np.zeros_like(phi)
        for j in range(table.shape[1]):
            value += (table[:, j] * phi**j).sum(axis=1)
        for j in range(slopes.shape[1]):
            force += slopes[:, j] * phi**j
        g_cos, g_sin = np.einsum("cq,cnq->cn", force, cosine), np.einsum("cq,cnq->cn", force, sine)
        g_far = np.einsum("cq,cnq->cn", force * nodes, sine)
        return value, amplitude * g_cos, -w * g_far - 2 * density.power * k[:, 0] / u * w * g_cos, -w * g_sin

    exact = tuple(np.empty_like(a[0]) for a in density.draw((0, 0, 1)))
    first = [a[0] for a in density.draw((0, 0, CHAINS))]
    action, _ = chain_kernels().energy_and_gradient(*first, *density.grid, *exact)
    found = gradient()
    assert abs(found[0][0] - action) < 1e-8 * max(1, action)
    assert np.abs(found[2][0] - exact[1][0, : density.width]).max() < 1e-8
    return min(timed(gradient)[0] for _ in range(5)) / CHAINS


def our_gradient_seconds(density: ScalarDensity) -> float:
    state = [a[0] for a in density.draw((0, 0, 1))]
    grad = tuple(np.empty_like(a) for a in state)

    def many() -> None:
        for _ in range(200):
            chain_kernels().energy_and_gradient(*state, *density.grid, *grad)

    many()
    return min(timed(many)[0] for _ in range(3)) / 200


def parts_row(lam: float, n_nets: int) -> dict[str, Any]:
    ensemble = Ensemble(phi4_net(mass=1, cutoff=10, coupling=lam, box=8).at(N=256), n_nets=n_nets, seed=1)
    ensemble.connected_correlators(POINTS, method="parts", max_points=2)
    t_parts, parts = timed(lambda: ensemble.connected_correlators(POINTS, method="parts"))
    t_plain, plain = timed(lambda: ensemble.connected_correlators(POINTS))
    row: dict[str, Any] = {"lambda": lam, "width": 256, "parts_seconds": t_parts, "plain_seconds": t_plain}
    for n in (2, 4):
        gain = (plain.errors(n) / parts.errors(n)) ** 2
        row |= {f"variance_ratio_{n}": [float(q) for q in np.percentile(gain, [0, 50, 100])]}
    return row


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, default=Path(__file__).parent / "results")
    parser.add_argument("--quick", action="store_true")
    arguments = parser.parse_args()
    rows: list[dict[str, Any]] = []
    has_nutpie = importlib.util.find_spec("nutpie") is not None
    for lam, box, width in CASES[: 2 if arguments.quick else None]:
        density = density_of(lam, box, width)
        case = {
            "lambda": lam,
            "box": box,
            "width": width,
            "nodes": int(density.table.shape[0] * density.table.shape[1]),
        }
        case["mean_interaction"] = density.mean_interaction
        ours, peer = our_gradient_seconds(density), numpy_gradient_seconds(density)
        for method in ("hmc", "pcn"):
            rows.append({**case, "sampler": method, **chains(density, method, 200 if arguments.quick else 1000)})
            if method == "hmc":
                best = rows[-1]
        rows.append({**case, "sampler": "reweighting", **reweighting(density, 4000 if arguments.quick else 16_000)})
        share = best["ess_per_draw"] / best["n_leaps"]
        rows.append({**case, "sampler": "numpy hmc", "ess_per_second": share / peer, "gradient_seconds": peer})
        rows.append(
            {**case, "sampler": "hmc, gradients alone", "ess_per_second": share / ours, "gradient_seconds": ours}
        )
        if has_nutpie:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                rows.append(
                    {**case, "sampler": "nutpie", **nutpie_rate(density, 50 if arguments.quick or width > 256 else 300)}
                )
        for row in rows[-6:]:
            print({k: round(v, 4) if isinstance(v, float) else v for k, v in row.items()}, flush=True)
    for lam in PARTS:
        rows.append(parts_row(lam, 4000 if arguments.quick else 20_000))
        print(rows[-1], flush=True)
    packages = ("numpy", "numba", "arviz-stats") + (("nutpie",) if has_nutpie else ())
    print(write(arguments.out, "phi4", rows, packages=packages))


if __name__ == "__main__":
    main()
