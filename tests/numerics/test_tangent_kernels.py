"""Neural tangent kernels at initialisation: exact averages, sampled networks, derivatives, symmetries, command line."""

import json

import numpy as np
import pytest
import sympy

from diagrams import (
    Gaussian,
    Orthogonal,
    Permutation,
    cos_net,
    erf_net,
    gauss_net,
    linear_net,
    network,
    relu_net,
    scalar_net,
    symbol,
    write_tex,
)
from numerics import (
    Ensemble,
    duality_claims,
    expected_tangent_kernel,
    random_elements,
    sampled_tangent_kernels,
    tangent_kernel,
    tangent_kernel_symmetry,
)
from numerics.cli import main
from numerics.duality import published_outputs

ONES = {"sigma_w0": 1, "sigma_w1": 1.5, "sigma_b0": 0.5}
PLAIN = {"sigma_w0": 1, "sigma_w1": 1.5}
X = np.array([[0.3], [-0.8]])
X2 = np.array([[0.3, 0.5], [-0.8, 0.1]])


def tanh_net():
    w, x = symbol("w"), symbol("x")
    return network(sympy.tanh(w * x), parameters={w: Gaussian(1)}, point=x)


NETS = {
    "relu": relu_net(output_bias=True).at(N=5, sigma_b1=0.7, **ONES),
    "relu without bias": relu_net(hidden_bias=False).at(N=5, **PLAIN),
    "relu in two dimensions": relu_net(input_dim=2).at(N=5, **ONES),
    "erf": erf_net().at(N=5, **ONES),
    "erf in two dimensions": erf_net(input_dim=2, hidden_bias=False).at(N=5, **PLAIN),
    "gauss": gauss_net().at(N=5, **ONES),
    "cos": cos_net().at(N=5, **PLAIN),
    "linear": linear_net().at(N=5, **PLAIN),
    "tanh": tanh_net().at(N=5, sigma_w1=1.5),
}


@pytest.mark.parametrize("parametrisation", ["standard", "ntk"])
@pytest.mark.parametrize("name", NETS)
def test_average_against_sampled_networks(name, parametrisation):
    net = NETS[name]
    x = X if net.input_dim == 1 else X2
    kernels = sampled_tangent_kernels(net, x, n_nets=20_000, seed=5, parametrisation=parametrisation)
    exact = expected_tangent_kernel(net, x, parametrisation=parametrisation)
    error = kernels.std(axis=0, ddof=1) / np.sqrt(len(kernels))
    seen = error > 1e-12
    assert np.abs((kernels.mean(axis=0) - exact)[seen] / error[seen]).max() < 4.5
    assert np.abs((kernels.mean(axis=0) - exact)[~seen]).max(initial=0) < 1e-10
    other = expected_tangent_kernel(net, x, parametrisation={"ntk": "standard", "standard": "ntk"}[parametrisation])
    assert np.abs((kernels.mean(axis=0) - other)[seen] / error[seen]).max() > 10


def test_one_network_against_finite_differences():
    net = erf_net(input_dim=2, output_dim=2).at(N=3, **ONES)
    ensemble = Ensemble(net, n_nets=4, seed=2)
    parameters = {k: np.array(v) for k, v in ensemble.parameters().items()}

    def outputs(p):
        from scipy.special import erf

        z = np.einsum("nid,xd->nix", p["W0"], X2) + p["b0"][:, :, None]
        return np.einsum("nia,nix->nax", p["W1"], erf(z))

    step, expected = 1e-6, 0.0
    for name, values in parameters.items():
        for k in range(values[0].size):
            moved = []
            for sign in (1, -1):
                p = {q: v.copy() for q, v in parameters.items()}
                p[name].reshape(4, -1)[:, k] += sign * step
                moved.append(outputs(p))
            slope = (moved[0] - moved[1]) / (2 * step)
            expected = expected + np.einsum("nax,nby->nabxy", slope, slope)
    np.testing.assert_allclose(tangent_kernel(net, parameters, X2), expected, rtol=1e-7, atol=1e-9)


def test_limit_of_infinite_width():
    """In the ntk parametrisation the average does not depend on N; networks scatter about it like 1/sqrt(N)."""
    kernel = relu_net().tangent_kernel("ntk")
    assert not kernel.expr.has(symbol("N"))
    assert relu_net().tangent_kernel().expr.has(symbol("N"))
    spread = [
        sampled_tangent_kernels(relu_net().at(N=n, **ONES), X, n_nets=4000, seed=n, parametrisation="ntk").std(axis=0)
        for n in (10, 160)
    ]
    np.testing.assert_allclose(spread[0] / spread[1], 4, rtol=0.15)


def test_closed_forms():
    """ReLU without bias: K + C (pi - angle)/(2 pi), the arc-cosine kernels of order one and zero."""
    net = relu_net(input_dim=2, hidden_bias=False).at(sigma_w0=sympy.sqrt(2), sigma_w1=1)
    x, y = (1, 0), (sympy.Rational(1, 2), sympy.sqrt(3) / 2)  # 60 degrees
    t = sympy.pi / 3
    order_one = (sympy.sin(t) + (sympy.pi - t) * sympy.cos(t)) / (2 * sympy.pi)
    order_zero = (sympy.pi - t) / (2 * sympy.pi)
    found = net.tangent_kernel("ntk").mean(x, y)
    assert sympy.simplify(found - order_one - sympy.cos(t) * order_zero) == 0
    gauss = gauss_net(hidden_bias=False).at(sigma_w0=1, sigma_w1=1).tangent_kernel("ntk")
    assert sympy.simplify(gauss.mean(1, 2) - (1 + 2) * sympy.exp(-sympy.Rational(1, 2))) == 0


class TestSymmetry:
    NET = relu_net(output_dim=3, input_dim=2, output_bias=True).at(N=7, sigma_b1=0.3, **ONES)

    def test_turns_with_outputs_and_inputs_to_rounding(self):
        parameters = Ensemble(self.NET, n_nets=20, seed=1).parameters()
        theta = tangent_kernel(self.NET, parameters, X2)
        for seed in range(3):
            r, q = random_elements(Orthogonal(3), 1, seed=seed)[0], random_elements(Orthogonal(2), 1, seed=seed)[0]
            outputs = tangent_kernel(self.NET, {**parameters, "W1": parameters["W1"] @ r.T}, X2)
            np.testing.assert_allclose(outputs, np.einsum("ab,nbcxy,dc->nadxy", r, theta, r), atol=1e-13)
            inputs = tangent_kernel(self.NET, {**parameters, "W0": parameters["W0"] @ q.T}, X2 @ q.T)
            np.testing.assert_allclose(inputs, theta, atol=1e-12)
            assert np.abs(tangent_kernel(self.NET, parameters, X2 @ q.T) - theta).max() > 1e-2

    def test_invariant_on_average(self):
        kernels = sampled_tangent_kernels(self.NET, X2, n_nets=4000, seed=2)
        assert tangent_kernel_symmetry(kernels, Orthogonal(3)).sigma < 4
        assert tangent_kernel_symmetry(kernels, Orthogonal(3), point=(0, 1)).sigma < 4

    def test_a_mean_of_the_output_weights_is_seen(self):
        net = gauss_net(output_dim=3, mean_w1=[symbol("mu"), 1, 0]).at(N=10, mu=2, **ONES)
        kernels = sampled_tangent_kernels(net, 0.1 * X, n_nets=4000, seed=2)
        assert tangent_kernel_symmetry(kernels, Orthogonal(3)).sigma > 10
        exact = expected_tangent_kernel(net, 0.1 * X)
        assert exact[0, 1, 0, 0] > exact[0, 2, 0, 0] == 0
        error = kernels.std(axis=0, ddof=1) / np.sqrt(len(kernels))
        assert np.abs((kernels.mean(axis=0) - exact) / error).max() < 5

    def test_refused(self):
        kernels = sampled_tangent_kernels(self.NET, X2, n_nets=50, seed=2)
        with pytest.raises(ValueError, match="acts on 2"):
            tangent_kernel_symmetry(kernels, Orthogonal(2))
        with pytest.raises(ValueError, match="no generators"):
            tangent_kernel_symmetry(kernels, Permutation(3))
        with pytest.raises(ValueError, match="shape"):
            tangent_kernel_symmetry(kernels[0], Orthogonal(3))


def test_bad_input():
    with pytest.raises(ValueError, match="parametrisation"):
        relu_net().tangent_kernel("lazy")
    with pytest.raises(NotImplementedError, match="momenta"):
        scalar_net(mass=1, cutoff=2).tangent_kernel().mean(0, 1)
    with pytest.raises(ValueError, match="missing"):
        tangent_kernel(relu_net().at(N=2, **ONES), {"W1": np.ones((1, 2))}, X)
    with pytest.raises(ValueError, match="input_dim"):
        cos_net(input_dim=sympy.Symbol("d", positive=True, integer=True)).tangent_kernel()


def test_shown(tmp_path):
    write_tex(tmp_path / "kernel.tex", relu_net(input_dim=2).tangent_kernel("ntk"))
    assert (tmp_path / "kernel.tex").read_text().count(r"\\") > 1  # broken over lines
    assert r"\mathbb{E}\,\Theta(" in cos_net().tangent_kernel().to_latex()
    assert "parametrisation" in str(erf_net().tangent_kernel("ntk"))


def test_claims_hold_and_the_control_does_not():
    claims = duality_claims(n_nets=1500, seed=3)
    assert {c.name for c in claims} == {"C1", "C2", "C3", "C6"}
    assert all(c.holds for c in claims), "\n".join(map(str, claims))
    means = published_outputs(50, shift=0.2).means
    assert [m**2 for m in means] == [2, 2, 0, 0, 0]  # N mu^2


class TestCommandLine:
    def test_prove(self, capsys):
        assert main(["symmetry", "prove", "--net", "cos", "--group", "E", "--json"]) == 0
        assert json.loads(capsys.readouterr().out)["holds"] is True
        assert main(["symmetry", "prove", "--net", "gauss", "--group", "T"]) == 1
        assert "4-point function changes" in capsys.readouterr().out
        assert main(["symmetry", "prove", "--net", "cos", "--group", "T", "--on", "b0"]) == 0
        assert "density and Jacobian are invariant" in capsys.readouterr().out
        assert main(["symmetry", "prove", "--net", "cos", "--group", "T", "--on", "b1"]) == 2
        assert "names of parameters of a neuron among" in capsys.readouterr().err

    @pytest.mark.parametrize("group", ["O", "U", "Sp", "S"])
    def test_test(self, group, capsys):
        options = ["--outputs", "4", "--group", group, "--nets", "2000", "--json"]
        assert main(["symmetry", "test", "--net", "relu", *options]) == 0
        assert json.loads(capsys.readouterr().out)["holds"] is True
        broken = main(["symmetry", "test", "--net", "relu", "--mean", "0.2", *options])
        assert broken == (0 if group == "S" else 1)  # the same mean for all outputs

    def test_bad_input(self, capsys):
        assert main(["symmetry", "prove", "--outputs", "3", "--group", "U"]) == 2
        assert "must be even, got 3" in capsys.readouterr().err
        assert main(["symmetry", "test", "--outputs", "2", "--group", "T"]) == 2
        assert "shifts" in capsys.readouterr().err
