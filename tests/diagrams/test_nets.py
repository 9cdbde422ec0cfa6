"""Connected correlators of every net against closed forms, exact characteristic functions and Fourier integrals."""

from __future__ import annotations

import pickle
from functools import partial
from itertools import product
from math import exp, factorial, pi, prod

import mpmath
import numpy as np
import pytest
import sympy

from diagrams.architectures import cos_net, erf_net, gauss_net, linear_net, network, relu_net, scalar_net
from diagrams.distributions import Constant, Gaussian, StudentT, Uniform
from diagrams.expectation import ParameterIntegral, evaluate
from diagrams.symbols import output_index, symbol

N = symbol("N")
PAIRINGS = [((0, 1), (2, 3)), ((0, 2), (1, 3)), ((0, 3), (1, 2))]
S0, S1, SB, WIDTH = 0.9, 1.2, 0.5, 3
VALUES = {
    "N": WIDTH,
    "sigma_w0": sympy.Rational(9, 10),
    "sigma_w1": sympy.Rational(6, 5),
    "sigma_b0": sympy.Rational(1, 2),
}


def placed(net, **values):
    return net.at(**{k: v for k, v in (VALUES | values).items() if k in net._symbols()})


def at_points(correlator, x):
    return evaluate(correlator(*(p.tolist() if len(p) > 1 else float(p[0]) for p in x))).value


# --- two and four points, typed from the formulas of arXiv:2307.03223 and arXiv:2008.08601 -------------------------


def gauss_two(x, y, s):
    return S1**2 * exp(-s / 2 * float(np.sum((x - y) ** 2)))


def gauss_four(x, s, sb, triple=3.0):
    squares = float(np.sum(x**2))
    cross = (float(np.sum(x.sum(0) ** 2)) - squares) / 2
    pairs = sum(gauss_two(x[a], x[b], s) * gauss_two(x[c], x[d], s) for (a, b), (c, d) in PAIRINGS)
    return (S1**4 * triple * exp(4 * sb**2 - s / 2 * (squares - 2 * cross)) - pairs) / WIDTH


def erf_two(x, y, s, sb):
    def f(u, v):
        return 2 * (sb**2 + s * float(u @ v))

    return S1**2 * 2 / pi * np.arcsin(f(x, y) / np.sqrt((1 + f(x, x)) * (1 + f(y, y))))


def relu_two(x, y, s, sb):
    def q(u, v):
        return sb**2 + s * float(u @ v)

    r = np.sqrt(q(x, x) * q(y, y))
    th = np.arccos(q(x, y) / r)
    return S1**2 * r / (2 * pi) * (np.sin(th) + (pi - th) * np.cos(th))


@pytest.mark.parametrize("dim", [1, 2, 3])
@pytest.mark.parametrize("bias", [True, False])
def test_two_point_functions(dim, bias):
    s, sb = S0**2 / dim, SB if bias else 0.0
    x = np.random.default_rng(dim).uniform(-1, 1, (2, dim)).round(3)
    closed = {gauss_net: gauss_two(*x, s), erf_net: erf_two(*x, s, sb), relu_net: relu_two(*x, s, sb)}
    closed[linear_net] = S1**2 * (sb**2 + s * float(x[0] @ x[1]))
    for make, expected in closed.items():
        G = placed(make(input_dim=dim, hidden_bias=bias)).connected_correlators(max_points=2)[2]
        assert at_points(G, x) == pytest.approx(expected, rel=1e-12, abs=1e-14)
        assert abs(at_points(G, 1.05 * x) - expected) > 1e-6 * abs(expected), make


@pytest.mark.parametrize("dim", [1, 2, 3])
@pytest.mark.parametrize("bias", [True, False])
def test_gauss_four_point_function(dim, bias):
    x = np.random.default_rng(dim).uniform(-1, 1, (4, dim)).round(3)
    G = placed(gauss_net(input_dim=dim, hidden_bias=bias)).connected_correlators(max_points=4)[4]
    sb = SB if bias else 0.0
    assert at_points(G, x) == pytest.approx(gauss_four(x, S0**2 / dim, sb), rel=1e-12)
    assert abs(at_points(G, x) - gauss_four(x, S0**2 / dim, sb, triple=1.0)) > 1e-2
    moved = at_points(G, x + 1)
    assert abs(moved - at_points(G, x)) > 0.1, "translations are no symmetry at finite width"
    rotation, _ = np.linalg.qr(np.random.default_rng(0).normal(size=(dim, dim)))
    assert at_points(G, x @ rotation.T) == pytest.approx(at_points(G, x), rel=1e-12)


@pytest.mark.parametrize("switch", ["no bias", "sigma_b0=0"])
def test_relu_four_point_function_on_a_line(switch):
    """(9/2)(P_+ + P_-) - (1/4) sum_3 rho_ab rho_cd."""
    net = relu_net(hidden_bias=False) if switch == "no bias" else relu_net().at(sigma_b0=0)
    assert "sigma_b0" not in net._symbols()
    G = net.connected_correlators(max_points=4)[4]
    scale = symbol("sigma_w0") ** 4 * symbol("sigma_w1") ** 4 / N

    def R(z):
        return max(z, 0)

    for x in [(1, 2, 3, 4), (-1, -2, -3, -1), (1, 2, -3, -4), (1, 2, 3, -4), (1, 0, 2, 3)]:
        plus, minus = prod(R(v) for v in x), prod(R(-v) for v in x)
        rho = [[R(a) * R(c) + R(-a) * R(-c) for c in x] for a in x]
        pairs = sum(rho[a][b] * rho[c][d] for (a, b), (c, d) in PAIRINGS)
        expected = sympy.Rational(9, 2) * (plus + minus) - sympy.Rational(pairs, 4)
        assert sympy.expand(G(*x) - scale * expected) == 0
    assert G(1, 1, -1, -1) == -scale / 4
    assert G(1, 1, 1, 1) == sympy.Rational(15, 4) * scale


def test_the_limit_of_no_hidden_bias():
    """The arcs of the net with bias shrink to half lines as sigma_b0 goes to zero."""
    x = [1, 2, -1, sympy.Rational(-1, 2)]
    values = {"N": 2, "sigma_w0": 1, "sigma_w1": 1}
    limit = float(relu_net().at(sigma_b0=0, **values).connected_correlators()[4](*x))
    near = [
        float(relu_net().at(sigma_b0=b, **values).connected_correlators()[4](*x))
        for b in (sympy.Rational(1, 2), sympy.Rational(1, 10**6))
    ]
    assert near[1] == pytest.approx(limit, abs=1e-4)
    assert abs(near[0] - limit) > 1e-3


# --- exact characteristic functions -------------------------------------------------------------------------------


def test_linear_net_to_eight_points():
    """(1 + t^2/N)^(-N/2) has the cumulants kappa_2k = (2k - 1)! N^(1-k)."""
    Gc = linear_net().at(sigma_w0=1, sigma_w1=1).connected_correlators(max_points=8)
    for n in range(1, 9):
        x = [sympy.Rational(k + 1, 2) for k in range(n)]
        expected = 0 if n % 2 else factorial(n - 1) * N ** (1 - n // 2) * sympy.Mul(*x)
        assert sympy.expand(Gc[n](*x) - expected) == 0


@pytest.mark.parametrize("dim", [2, 3])
@pytest.mark.parametrize("n", [4, 6])
def test_linear_net_in_more_dimensions(dim, n):
    """phi at a point is |x| times the one-dimensional net: phi(x) = sum_i W_i |w_i| cos, with variance s x^2."""
    x = tuple(range(1, dim + 1))
    found = linear_net(input_dim=dim).connected_correlators(max_points=6)[n](*[x] * n)
    s = symbol("sigma_w0") ** 2 * symbol("sigma_w1") ** 2 / dim * sum(c**2 for c in x)
    assert sympy.expand(found - factorial(n - 1) * N ** (1 - n // 2) * s ** (n // 2)) == 0


def relu_cumulants(top, width):
    """Return kappa_pq of (Y_+, Y_-) from N log([(1 - a^2/N)^(-1/2) + (1 - b^2/N)^(-1/2)]/2) at width N."""
    a, b = sympy.symbols("a b")
    half = [
        sympy.binomial(sympy.Rational(-1, 2), k) * (-1) ** k / sympy.Integer(width) ** k for k in range(top // 2 + 1)
    ]
    inner = sympy.Poly(sum(c * (a ** (2 * k) + b ** (2 * k)) / 2 for k, c in enumerate(half) if k), a, b)
    log = sum((inner**j * sympy.Rational((-1) ** (j + 1) * width, j) for j in range(2, top // 2 + 1)), inner * width)
    return {
        (p, q): log.coeff_monomial(a**p * b**q) * factorial(p) * factorial(q)
        for p, q in product(range(0, top + 1, 2), repeat=2)
        if 0 < p + q <= top
    }


def test_relu_net_on_a_line_to_eight_points():
    exact = relu_cumulants(8, WIDTH)
    fractions = {(2, 0): "1/2", (4, 0): "15/4", (2, 2): "-1/4", (6, 0): "165/2", (4, 2): "-3/2"}
    for key, value in fractions.items():
        assert exact[key] == sympy.Rational(value) * sympy.Integer(WIDTH) ** (1 - sum(key) // 2)
    correlators = relu_net(hidden_bias=False).at(sigma_w0=1, sigma_w1=1, N=WIDTH).connected_correlators(max_points=8)
    Gc = {n: correlators[n] for n in correlators}
    for (p, q), value in exact.items():
        assert Gc[p + q](*[1] * p, *[-1] * q) == value
        assert value != 0
    for p, q in ((1, 1), (3, 1), (5, 3), (2, 1)):
        assert Gc[p + q](*[1] * p, *[-1] * q) == 0


# --- the free scalar field ----------------------------------------------------------------------------------------


def propagator(r, d, mass, cutoff):
    def spectrum(k):
        area = 2 * mpmath.pi ** (mpmath.mpf(d) / 2) / mpmath.gamma(mpmath.mpf(d) / 2)
        wave = mpmath.hyp0f1(mpmath.mpf(d) / 2, -((k * r) ** 2) / 4)
        return area * k ** (d - 1) / (2 * mpmath.pi) ** d / (k**2 + mass**2) * wave

    return float(mpmath.quad(spectrum, mpmath.linspace(0, cutoff, 5)))


DENSITIES = {
    "alpha=-1": {},
    "alpha=0": {"alpha": 0},
    "alpha=1/2": {"alpha": sympy.Rational(1, 2)},
    "own": {"momentum_density": sympy.exp(-(symbol("k") ** 2) / 4)},
}


@pytest.mark.parametrize("dim", [1, 2, 3])
@pytest.mark.parametrize("density", DENSITIES)
def test_free_scalar_propagator_at_every_width(dim, density):
    net = scalar_net(input_dim=dim, **DENSITIES[density]).at(m=sympy.Rational(4, 5), Lambda=3)
    G = net.connected_correlators(max_points=2)[2]
    assert list(G.series) == [0]
    for r in (0.0, 0.7, 4.0):
        x = np.zeros((2, dim))
        x[1, -1] = r
        assert at_points(G, x) == pytest.approx(propagator(r, dim, 0.8, 3), rel=1e-9, abs=1e-12)
        assert abs(at_points(G, x) - propagator(r, dim, 0.9, 3)) > 1e-5


@pytest.mark.parametrize("dim", [1, 2, 3])
@pytest.mark.parametrize("alpha", [-1, 0, 1])
def test_free_scalar_four_point_function(dim, alpha):
    """(1/N)[(3/8) A^4 sum_3 <cos(k.(xa+xb-xc-xd)) ...> - sum_3 G2 G2], momentum averages by radial quadrature."""
    mass, cutoff = 0.8, 3.0
    net = scalar_net(input_dim=dim, alpha=alpha).at(m=sympy.Rational(4, 5), Lambda=3, N=WIDTH)
    Gc = net.connected_correlators(max_points=4)
    x = np.random.default_rng(dim).uniform(-1, 1, (4, dim)).round(2)
    k, c = np.polynomial.legendre.leggauss(60)
    k, c = cutoff * (1 + k) / 2, c * cutoff / 2
    shell = c * k ** (dim - 1)
    density = (k**2 + mass**2) ** (-alpha - 1.0)
    area = {1: 2.0, 2: 2 * pi, 3: 4 * pi}[dim]
    p = density / (area * float(shell @ density))
    fourth = (2 / ((2 * pi) ** dim * p * (k**2 + mass**2))) ** 2  # amplitude to the fourth power

    def average(v):
        r = float(np.linalg.norm(v))
        wave = [float(mpmath.hyp0f1(dim / 2, -((q * r) ** 2) / 4)) for q in k]
        return area * float(shell @ (p * fourth * np.array(wave)))

    expected = 3 / 8 * sum(average(x[a] + x[b] - x[c] - x[d]) for (a, b), (c, d) in PAIRINGS)
    expected -= sum(at_points(Gc[2], x[[a, b]]) * at_points(Gc[2], x[[c, d]]) for (a, b), (c, d) in PAIRINGS)
    assert at_points(Gc[4], x) == pytest.approx(expected / WIDTH, rel=1e-8)


def test_constant_output_weights_of_the_scalar_net():
    """E W^4 is one instead of three: the fourth cumulant loses two thirds of its single-neuron part."""
    gaussian, constant = scalar_net(alpha=0), scalar_net(alpha=0, readout=Constant(1))
    values = {"m": 1, "Lambda": 2, "N": 1}
    G, C = (net.at(**values).connected_correlators() for net in (gaussian, constant))
    assert evaluate(G[2](0, 1)).value == pytest.approx(evaluate(C[2](0, 1)).value, rel=1e-12)
    assert constant.is_even
    pairs = 3 * evaluate(G[2](0, 0)).value ** 2
    three, one = (evaluate(g[4](0, 0, 0, 0)).value + pairs for g in (G, C))
    assert three == pytest.approx(3 * one, rel=1e-10)


# --- output weights: means, other densities, several outputs ------------------------------------------------------


def test_mean_output_weights_make_odd_correlators():
    """Third cumulant of z h with z ~ N(mu, 1) and lognormal h, by hand."""
    mu = symbol("mu")
    net = gauss_net(mean_w1=mu).at(sigma_w1=1, sigma_w0=1, sigma_b0=sympy.Rational(1, 2))
    assert not net.is_even
    Gc = net.connected_correlators(max_points=4)

    def h(n):  # E h^n at the origin
        return sympy.exp(sympy.Rational(n * n - 2 * n, 8))

    one, two, three = mu * h(1), (mu**2 + 1) * h(2), (mu**3 + 3 * mu) * h(3)
    assert sympy.expand(Gc[1](0) - sympy.sqrt(N) * one) == 0
    assert sympy.expand(Gc[2](0, 0) - (two - one**2)) == 0
    assert sympy.expand(Gc[3](0, 0, 0) - (three - 3 * two * one + 2 * one**3) / sympy.sqrt(N)) == 0
    assert list(Gc[3].series) == [sympy.Rational(1, 2)]
    assert net.at(mu=2).readout == Gaussian(1, 2)


@pytest.mark.parametrize(
    ("net", "even"),
    [
        (cos_net(mean_w1=1), True),
        (linear_net(mean_w1=1), True),
        (erf_net(mean_w1=1), True),
        (gauss_net(mean_w1=1), False),
        (relu_net(mean_w1=1), False),
        (relu_net(readout=Uniform(-1, 2)), False),
        (relu_net(readout=Uniform(-1, 1)), True),
        (relu_net(), True),
    ],
    ids=str,
)
def test_evenness(net, even):
    assert net.is_even == even
    assert (len(net.correlator_series(1)) == 0) == even


@pytest.mark.parametrize(
    ("readout", "fourth"), [(Uniform(-1, 1), "1/5"), (StudentT(7), "49/5"), (Constant(2), "16")], ids=str
)
def test_other_densities_of_the_output_weights(readout, fourth):
    """E z^4 by hand; the linear feature has E w^4 = 3."""
    Gc = linear_net(readout=readout).at(sigma_w0=1, N=1).connected_correlators(max_points=4)
    second = readout.moment(2)
    assert Gc[2](1, 1) == second
    assert Gc[4](1, 1, 1, 1) == 3 * sympy.Rational(fourth) - 3 * second**2
    with pytest.raises(ValueError, match="6th moment does not exist"):
        linear_net(readout=StudentT(5)).connected_correlators(max_points=6)[6]


def test_several_outputs_keep_their_indices():
    net = linear_net(output_dim=3).at(sigma_w0=1, sigma_w1=1)
    a = [output_index(i) for i in range(1, 5)]
    two, four = (net.correlator_series(n).as_expr() for n in (2, 4))
    ones = {symbol(f"x_{i}"): 1 for i in range(1, 5)}
    assert two.subs(ones) == sympy.KroneckerDelta(a[0], a[1])
    single = linear_net().at(sigma_w0=1, sigma_w1=1).connected_correlators()[4](1, 1, 1, 1)
    for outputs in product(range(2), repeat=4):
        given = four.subs(ones).subs(dict(zip(a, outputs, strict=True)))
        n_pairings = sum(outputs[i] == outputs[j] and outputs[k] == outputs[n] for (i, j), (k, n) in PAIRINGS)
        assert sympy.expand(given - n_pairings * single / 3) == 0
    assert "W^1_{ai}" in net.to_latex()


def test_output_biases_are_independent():
    two = linear_net(output_dim=2, output_bias=True).correlator_series(2)[0]
    delta = sympy.KroneckerDelta(output_index(1), output_index(2))
    assert sympy.expand(two.subs(symbol("x_1"), 0) - symbol("sigma_b1") ** 2 * delta) == 0


def test_outputs_of_sampled_networks():
    """A ReLU-net with two outputs and two neurons: f_0^2 f_1^2 connected, against 400000 networks."""
    rng, n = np.random.default_rng(7), 400_000
    w, W = rng.normal(size=(n, 2)), rng.normal(size=(n, 2, 2)) / np.sqrt(2)
    f = (W * np.maximum(w, 0)[:, None, :]).sum(-1)
    product_mean = f[:, 0] ** 2 * f[:, 1] ** 2
    net = relu_net(hidden_bias=False, output_dim=2).at(sigma_w0=1, sigma_w1=1, N=2)
    a = [output_index(i) for i in range(1, 5)]
    point = {symbol(f"x_{i}"): 1 for i in range(1, 5)} | {N: 2}
    four = net.correlator_series(4).as_expr().subs(point).subs(dict(zip(a, (0, 0, 1, 1), strict=True)))
    full = float(four) + 0.25  # <f_0 f_0> <f_1 f_1>
    error = product_mean.std() / np.sqrt(n)
    assert abs(product_mean.mean() - full) < 5 * error
    assert abs(product_mean.mean() - (float(four) * 3 + 0.25)) > 10 * error, "without the delta structure"


def test_neuron_moments_are_those_of_one_neuron():
    net = cos_net()
    x = [sympy.Rational(1, 2), 1]
    m = net.neuron_moment(x, net.w1**2 * net.w0)
    assert m == 3 * symbol("sigma_w1") ** 4 / N**2 * net.feature.expected_product([(v,) for v in x], net.w0)
    assert net.neuron_moment(x, net.w1) == 0
    assert gauss_net(mean_w1=2).neuron_moment([], gauss_net().w1) == 2 / sympy.sqrt(N)
    with pytest.raises(ValueError, match="output_dim=2"):
        cos_net(output_dim=2).neuron_moment([0])


# --- values, texts, errors ----------------------------------------------------------------------------------------

x, w = symbol("x"), symbol("w")
ALL = [
    cos_net(input_dim=2),
    gauss_net(),
    relu_net(input_dim=2),
    erf_net(),
    linear_net(output_dim=2, output_bias=True),
    scalar_net(alpha=0),
    scalar_net(input_dim=2, momentum_density=sympy.exp(-symbol("k"))),
    network(sympy.tanh(w * x), parameters={w: Uniform(-1, 1)}, point=x, name="tanh"),
]


@pytest.mark.parametrize("net", ALL, ids=str)
def test_nets_are_values_with_latex(net):
    again = pickle.loads(pickle.dumps(net))
    assert again == net
    assert hash(again) == hash(net)
    shown = net._repr_latex_()
    assert r"\sum_{i=1}^{N}" in shown
    assert r"P(\theta)" in shown
    assert shown.count("{") == shown.count("}")
    assert net.connected_correlators(max_points=2)[2]._repr_latex_().startswith("$")
    values = dict.fromkeys(net._symbols(), 2)
    assert set(net.at(**values).parameter_values()) == set(values) | {"sigma_b1"}


def test_latex_of_the_features():
    shown = gauss_net().to_latex()
    assert r"\exp\!\left(W^0_i \cdot x + b^0_i - \sigma_{b0}^{2} - \sigma_{w0}^{2}\, x^2\right)" in shown
    assert r"b^0_i \sim \mathcal{N}\!\left(0, \sigma_{b0}^{2}\right)" in shown
    assert r"\max\!\left(W^0_i \cdot x, 0\right)" in relu_net(hidden_bias=False).to_latex()
    assert r"\mathcal{U}\!\left(B^{3}_{\Lambda}\right)" in scalar_net(input_dim=3).to_latex()


def test_correlators_without_closed_form_print_and_evaluate():
    G = erf_net(hidden_bias=False).at(sigma_w0=1, sigma_w1=1, N=2).connected_correlators()[4]
    assert G.expr.has(ParameterIntegral)
    assert r"\mathbb{E}_{u_{1}" in G.to_latex()
    value = evaluate(G(1, 1, 1, 1), rtol=1e-10)
    assert value.error <= 1e-10 * abs(value.value)
    with pytest.raises(ValueError, match=r"no numbers for the symbol\(s\) x_1"):
        evaluate(G.expr)


BUILT_IN_NAMES = [f().name for f in (cos_net, gauss_net, relu_net, erf_net, linear_net, scalar_net)]


def sine_net(name: str):
    w, x = symbol("w"), symbol("x")
    return network(sympy.sin(w * x), parameters={w: Gaussian(1)}, point=x, name=name)


@pytest.mark.parametrize(
    ("make", "error", "text"),
    [
        (lambda: scalar_net(mass=-1), ValueError, "mass must be positive, got -1"),
        (lambda: scalar_net(cutoff=0), ValueError, "radius of a ball must be positive, got 0"),
        (lambda: scalar_net().at(m=-1), ValueError, "mass m must be positive, got -1"),
        (lambda: scalar_net().at(Lambda=0), ValueError, "cutoff Lambda must be positive, got 0"),
        (lambda: scalar_net().at(sigma_w0=1), ValueError, r"'sigma_w0'.*\['N', 'Lambda', 'm'\]"),
        (lambda: scalar_net(alpha=0, momentum_density=symbol("k")), ValueError, "either alpha or momentum_density"),
        (lambda: relu_net(hidden_bias=False).at(sigma_b0=1), ValueError, "no free parameter 'sigma_b0'"),
        (lambda: cos_net(output_dim=0), ValueError, "output_dim must be a positive integer, got 0"),
        (lambda: cos_net(readout=Gaussian(1), mean_w1=1), ValueError, "either mean_w1 or a readout"),
        (lambda: cos_net(readout="normal"), TypeError, "readout must be a density"),
        (lambda: erf_net(input_dim=2.0), ValueError, "input_dim must be a positive integer"),
        *((partial(sine_net, name), ValueError, f"the name '{name}' is that of a net") for name in BUILT_IN_NAMES),
    ],
)
def test_bad_nets(make, error, text):
    with pytest.raises(error, match=text):
        make()
