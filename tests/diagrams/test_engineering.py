"""Actions engineered by deforming the density of the parameters: types, LaTeX, refusals, the cutoff propagator."""

from __future__ import annotations

import pickle

import numpy as np
import pytest
import sympy
from scipy import integrate, special

from diagrams.architectures import cos_net, erf_net, relu_net, scalar_net
from diagrams.engineering import FieldDeformed, deform
from diagrams.expectation import evaluate
from diagrams.interactions import BilocalInteraction, LocalInteraction
from diagrams.latex import aslatex
from diagrams.phi4_networks import cutoff_propagator, phi4_net
from diagrams.regions import Box, GaussianWeight, Sites
from diagrams.symbols import symbol

LAM, L = symbol("lambda"), symbol("L")


def test_the_deformed_density_in_latex():
    net = phi4_net()
    assert net.to_latex().endswith(
        r"P_{\Delta S}(\theta) = \frac{1}{Z}\, P(\theta)\, \exp\!\left[-\frac{\lambda}{4!} "
        r"\int_{\left[-\frac{L}{2}, \frac{L}{2}\right]} dx\; \left(\sum_{i=1}^{N} W^1_i\, h(x; \theta_i)\right)^{4}"
        r"\right] \end{aligned}"
    )
    assert aslatex(net).count("P_{") == 1
    assert net._repr_latex_().startswith("$")
    cubic = deform(scalar_net(input_dim=2), LocalInteraction({3: symbol("g"), 4: LAM}, region=GaussianWeight(L)))
    assert r"\left[\frac{g}{3!}" in cubic.to_latex()
    assert r"e^{-x^2 / 2 L^2}" in cubic.to_latex()


def test_closed_sums():
    (text,) = phi4_net(weight=L).closed_sums()
    assert text.startswith(r"\frac{\lambda}{192}\, (2\pi)^{\frac{1}{2}} L^{1} \sum_{i j k l} w_i w_j w_k w_l")
    assert r"\frac{2 \sin" in phi4_net(box=L).closed_sums()[0]
    with pytest.raises(ValueError, match="cosine features"):
        deform(erf_net(), LocalInteraction({4: LAM}, region=Box(1))).closed_sums()
    with pytest.raises(ValueError, match="finite sum already"):
        deform(cos_net(), LocalInteraction({4: LAM}, region=Sites([0]))).closed_sums()


def test_values_are_frozen_and_given_by_name():
    net = phi4_net(input_dim=1, mass=1, cutoff=8, weight=L)
    assert net.free_parameters == ("N", "L", "lambda")
    numbers = net.at(N=20, L=2, **{"lambda": 0.5})
    assert numbers == deform(numbers.base, LocalInteraction({4: 0.5}, region=GaussianWeight(2)))
    assert numbers.parameter_values()["N"] == 20
    assert pickle.loads(pickle.dumps(numbers)) == numbers
    assert hash(numbers) == hash(net.at(N=20).at(L=2).at(**{"lambda": 0.5}))
    with pytest.raises(ValueError, match="no numbers"):
        net.at(N=20).parameter_values()
    with pytest.raises(ValueError, match=r"no free parameter 'width'.*'N', 'L', 'lambda'"):
        net.at(width=3)


def test_interactions_add():
    quartic, mass = LocalInteraction({4: LAM}, region=Box(2)), LocalInteraction({2: 1}, region=Box(2))
    both = quartic + mass
    assert both == LocalInteraction({2: 1, 4: LAM}, region=Box(2))
    assert both.is_even
    assert not (both + LocalInteraction({3: 1}, region=Box(2))).is_even
    elsewhere = both + LocalInteraction({4: 1}, region=Sites([0, 1]))
    assert len(elsewhere.terms) == 2
    net = deform(deform(cos_net(), quartic), mass)
    assert isinstance(net, FieldDeformed)
    assert net.interaction == both


@pytest.mark.parametrize(
    ("couplings", "message"),
    [
        ({4: -1}, "g_4 = -1 is negative"),
        ({3: 1}, r"phi\^3, which is odd"),
        ({4: 1, 5: 0.1}, r"phi\^5, which is odd"),
        ({2: -0.1}, "g_2 = -1/10 .* negative"),
        ({4: 1, 6: -1}, "g_6 = -1 is negative"),
        ({0: 1}, "positive integer"),
        ({}, "at least one coupling"),
        ({4: float("nan")}, "finite"),
    ],
    ids=["negative", "cubic", "quintic", "negative mass", "negative sextic", "constant", "nothing", "nan"],
)
def test_densities_that_do_not_exist_are_refused(couplings, message):
    with pytest.raises(ValueError, match=message):
        deform(relu_net(), LocalInteraction(couplings, region=Box(2)))


def test_normalisable_ones_are_not():
    for couplings in ({3: 1, 4: 1}, {4: -1, 6: 1}, {2: -1, 4: LAM}, {4: 0}, {4: LAM}):
        deform(relu_net(), LocalInteraction(couplings, region=Box(2)))
    deform(cos_net(), LocalInteraction({1: 1}, region=Box(2)))  # a source: features are bounded
    with pytest.raises(ValueError, match="odd"):
        deform(relu_net(), LocalInteraction({1: 1}, region=Box(2)))
    symbolic = deform(cos_net(), LocalInteraction({4: LAM}, region=Box(2)))
    with pytest.raises(ValueError, match="negative"):
        symbolic.at(**{"lambda": -1})


def test_bad_input_of_phi4_net():
    for options, message in (
        ({"coupling": -0.5, "box": 1}, "coupling must be >= 0"),
        ({"mass": 0}, "mass must be positive"),
        ({"cutoff": -1}, "cutoff must be positive"),
        ({"box": 4, "weight": 2}, "not both"),
        ({"box": 0}, "side of the box must be positive"),
        ({"input_dim": 0}, "positive integer"),
    ):
        with pytest.raises(ValueError, match=message):
            phi4_net(**options)
    with pytest.raises(TypeError, match="number or a sympy expression"):
        phi4_net(mass="heavy?")
    with pytest.warns(UserWarning, match=r"side 0\.5000 is shorter than .* 0\.7854"):
        short = phi4_net(cutoff=8, box=0.5, mass=1)
    assert short.interaction.terms[0].region == Box(sympy.Rational(1, 2))
    with pytest.warns(UserWarning, match="shorter"):
        phi4_net(box=0.5).at(Lambda=8)


def test_bad_input_of_deform():
    with pytest.raises(TypeError, match="delta_s must be an interaction"):
        deform(cos_net(), {4: 1})
    with pytest.raises(TypeError, match="random network"):
        deform(3, LocalInteraction({4: 1}, region=Box(1)))
    with pytest.raises(ValueError, match="output_dim=2"):
        deform(cos_net(output_dim=2), LocalInteraction({4: 1}, region=Box(1)))
    with pytest.raises(ValueError, match="a number, got a symbol"):
        deform(cos_net(input_dim=symbol("d")), LocalInteraction({4: 1}, region=Box(1)))
    with pytest.raises(ValueError, match="coordinate"):
        deform(cos_net(input_dim=2), LocalInteraction({4: 1}, region=Sites([0, 1])))
    for bad in ({"points": []}, {"points": [0, 0]}, {"points": [0, 1], "weights": [1]}, {"points": [0], "weights": -1}):
        with pytest.raises(ValueError, match="site"):
            Sites(**bad)
    with pytest.raises(TypeError, match="region must be"):
        LocalInteraction({4: 1}, region=2.0)


def test_only_the_symmetric_part_of_a_kernel_is_kept():
    x, y = symbol("x_1"), symbol("x_2")
    assert BilocalInteraction(x, Box(1)).kernel == x / 2 + y / 2
    assert BilocalInteraction((x - y) ** 2, Box(1)).kernel == (x - y) ** 2
    assert r"\int" in BilocalInteraction(x * y, Box(1)).to_latex()


@pytest.mark.parametrize("dim", [1, 2, 3, 4])
@pytest.mark.parametrize("r", [0, 0.7], ids=["coincident", "apart"])
def test_cutoff_propagator(dim, r):
    m, top = 0.8, 5.0

    def wave(k):  # average of exp(ik.x) over directions
        if r == 0:
            return 1.0
        nu = dim / 2 - 1
        return special.gamma(dim / 2) * (2 / (k * r)) ** nu * special.jv(nu, k * r) if k else 1.0

    area = 2 * np.pi ** (dim / 2) / special.gamma(dim / 2) / (2 * np.pi) ** dim
    wanted = area * integrate.quad(lambda k: k ** (dim - 1) * wave(k) / (k**2 + m**2), 0, top, epsabs=1e-13)[0]
    found = cutoff_propagator(input_dim=dim, mass=m, cutoff=top, separation=r)
    value = evaluate(found).value if dim in (2, 4) and r else float(found)
    assert value == pytest.approx(wanted, rel=1e-9)
    infinite_cutoff = cutoff_propagator(input_dim=dim, mass=m, cutoff=50, separation=r)
    larger = evaluate(infinite_cutoff).value if dim in (2, 4) and r else float(infinite_cutoff)
    assert abs(larger - wanted) > 1e-3


def test_both_exponents_give_the_same_propagator():
    for alpha in (-1, 0):
        net = phi4_net(mass=1, cutoff=4, coupling=1, box=4, alpha=alpha).base
        G2 = net.connected_correlators(max_points=2)[2]
        assert evaluate(G2(0, sympy.Rational(1, 3))).value == pytest.approx(
            float(cutoff_propagator(mass=1, cutoff=4, separation=sympy.Rational(1, 3))), rel=1e-9
        )


def test_an_interaction_at_sites_is_a_tilt():
    a = symbol("a")
    net = deform(cos_net(), LocalInteraction({2: 3, 4: 24}, region=Sites([0, 1], weights=a)))
    tilt = net.at(a=1).as_tilt()
    assert "neuron_sum(1, at=[(0,)])**4" in str(tilt.potential)
    assert str(tilt.potential).count("3*neuron_sum") == 2  # g_2 / 2! with weight one at both sites
    with pytest.raises(ValueError, match="Sites"):
        phi4_net().as_tilt()
    with pytest.raises(ValueError, match="output bias"):
        deform(cos_net(output_bias=True), LocalInteraction({4: 1}, region=Sites([0]))).as_tilt()
