"""Effective theory of networks: Gaussian process limit, couplings, growth of kernels, beta functions."""

import random

import mpmath
import pytest
import sympy

from diagrams import (
    DivergentIntegralError,
    GrowthError,
    cos_net,
    erf_net,
    gauss_net,
    linear_net,
    network,
    relu_net,
    scalar_net,
    symbol,
)
from diagrams.box_integrals import box_integral, homogeneous_degree
from diagrams.distributions import Gaussian
from diagrams.growth import growth_exponent, leading_power

S = sympy.Symbol("s", positive=True)
NETS = {"relu": relu_net, "erf": erf_net, "gauss": gauss_net}


def relu(**values):
    return relu_net(hidden_bias=False).at(sigma_w0=1, sigma_w1=1, **values).eft()


class TestReluInOneDimension:
    """Closed values for positive points, where G^(n) = prod x_i E[Y^n]: cumulants 1/2, 15/(4N), 165/(2N^2)."""

    def test_deviations_are_exact_in_the_width(self):
        N = symbol("N")
        assert relu().deviation(2, 1, 3) == 0
        assert relu().deviation(4, 1, 2, sympy.Rational(1, 3), 5) == 5 / N
        assert relu().deviation(6, 1, 2, 3, 1, 1, 1) == 15 / N + 44 / N**2

    def test_couplings_do_not_depend_on_points(self):
        N, cutoff = symbol("N"), symbol("Lambda")
        for x in [(1, 1, 1, 1), (1, 2, sympy.Rational(2, 3), 7)]:
            assert relu().coupling(4, *x) == -sympy.Rational(25, 2) / (N * cutoff**5)
        kappa = relu().coupling(6, 1, 2, 3, 4, 5, 6)
        assert sympy.simplify(kappa + sympy.Rational(165, 2) / N**2 / (720 * cutoff**7 / 7 / 2**6)) == 0

    def test_coupling_reproduces_the_four_point_function(self):
        """G4 = sum KK - 24 lambda I with the sign of the action S_GP + lambda f^4."""
        eft, x = relu(N=20), (1, 2, 3, 1)
        predicted = eft.gp_correlator(4, *x) - 24 * eft.coupling(4, *x) * eft.vertex_integral(4, *x)
        assert sympy.simplify(predicted - eft.full_correlator(4, *x)) == 0

    @pytest.mark.parametrize("width", [1, 20, 1000])
    def test_six_point_ratios_hold_at_any_width_and_cutoff(self, width):
        """E[Y^6] = 15 k2^3 + 15 k4 k2 + k6; the theory without kappa has the first two terms."""
        eft, x = relu(N=width), [1, 2, sympy.Rational(1, 2), 3, 1, 1]
        full, limit = eft.full_correlator(6, *x), eft.gp_correlator(6, *x)
        exchange = sum(
            eft.kernel.xreplace(dict(zip([s for p in eft.arguments for s in p], [x[a], x[b]], strict=True)))
            * eft.coupling(4, *(r := [x[i] for i in range(6) if i not in (a, b)]))
            * eft.vertex_integral(4, *r)
            for a in range(6)
            for b in range(a)
        )
        with_lambda = (limit - 24 * exchange) / full
        k2, k4, k6 = sympy.Rational(1, 2), sympy.Rational(15, 4) / width, sympy.Rational(165, 2) / width**2
        total = 15 * k2**3 + 15 * k4 * k2 + k6
        assert sympy.simplify(limit / full - 15 * k2**3 / total) == 0
        assert sympy.simplify(with_lambda - (total - k6) / total) == 0
        if width == 20:
            assert float(limit / full) == pytest.approx(0.5376, abs=5e-5)
            assert float(with_lambda) == pytest.approx(0.9409, abs=5e-5)


class TestGrowth:
    @pytest.mark.parametrize(
        ("expr", "exponent"),
        [
            (S**3 / (1 + S), 2),
            (sympy.sqrt(S**2 + S) - S, 0),  # leading powers cancel
            (sympy.log(1 + 1 / S), -1),
            (sympy.asin(S / (1 + 2 * S**2)), -1),
            (sympy.exp(-S) * S**9, -sympy.oo),
            (sympy.Max(-(S**2), 3 - S), 1),
            (sympy.Max(0, -S), -sympy.oo),
            (sympy.Min(S, 4), 0),
        ],
    )
    def test_of_expressions(self, expr, exponent):
        assert leading_power(expr, S).exponent == exponent

    @pytest.mark.parametrize("dim", [1, 2, 3])
    @pytest.mark.parametrize("bias", [True, False])
    def test_of_kernels_against_numbers_far_out(self, dim, bias):
        """The local slope of log K between 1e6 and 1e8, at 40 digits, in the direction where it is largest."""
        for name, expected in (("relu", 1), ("erf", 0), ("gauss", -sympy.oo)):
            eft = NETS[name](input_dim=dim, hidden_bias=bias).eft()
            assert eft.growth == expected
            if expected == -sympy.oo:
                continue
            _, y = eft.arguments
            values = {s: sympy.Rational(5 + i, 7) for i, s in enumerate(sorted(eft.kernel.free_symbols, key=str))}
            far = [
                sympy.N(eft.weight_kernel.xreplace({**values, **dict.fromkeys(y, sympy.Integer(10) ** e)}), 40)
                for e in (6, 8)
            ]
            assert float(sympy.log(far[1] / far[0]) / sympy.log(100)) == pytest.approx(float(expected), abs=1e-5)

    def test_refusals(self):
        with pytest.raises(GrowthError, match="exponentially"):
            leading_power(sympy.exp(S), S)
        with pytest.raises(GrowthError, match="momentum_shell_flow"):
            scalar_net().eft().beta_functions()
        x, y = sympy.symbols("x y", real=True)
        with pytest.raises(GrowthError, match="depends on the point"):
            growth_exponent(1 + y**2 * sympy.Max(0, x - sympy.Rational(73, 100)), (x,), (y,))


class TestBoxIntegrals:
    @pytest.mark.parametrize("seed", range(4))
    def test_closed_forms_against_quadrature(self, seed):
        rng = random.Random(seed)
        points = [sympy.Rational(rng.randint(-9, 9), 7) for _ in range(4)]
        points[rng.randrange(4)] = abs(points[0])
        for net in (relu_net(hidden_bias=False), gauss_net(), linear_net(), linear_net(hidden_bias=True)):
            names = [s.name for s in net.feature.free_symbols]
            eft = net.at(sigma_w1=2, **dict.fromkeys(names, 1)).eft()
            x, y = eft.arguments
            factors = [
                sympy.lambdify(y, eft.weight_kernel.xreplace(dict(zip(x, [p], strict=True))), "mpmath") for p in points
            ]
            expected = mpmath.quad(lambda t, f=factors: mpmath.fprod(g(t) for g in f), [-3, -1, 0, 1, 3])
            found = eft.vertex_integral(4, *points, cutoff=3)
            assert float(found) == pytest.approx(float(expected), rel=1e-9, abs=1e-12)

    def test_gaussian_in_two_dimensions(self):
        eft = gauss_net(input_dim=2).at(sigma_w0=1, sigma_w1=1).eft()
        x = [(0, 1), (sympy.Rational(1, 2), -1), (1, 1), (0, 0)]
        far = eft.vertex_integral(4, *x, cutoff=30)
        assert float(far) == pytest.approx(float(eft.vertex_integral(4, *x, cutoff=sympy.oo)), rel=1e-12)
        kernel = sympy.lambdify([s for p in eft.arguments for s in p], eft.kernel, "mpmath")
        with mpmath.workdps(15):
            found = mpmath.quad(
                lambda a, b: mpmath.fprod(kernel(*map(float, p), a, b) for p in x), [-2, 0, 2], [-2, 0, 2], maxdegree=5
            )
        assert float(eft.vertex_integral(4, *x, cutoff=2)) == pytest.approx(float(found), rel=1e-8)

    def test_no_closed_form_is_left_unevaluated(self):
        assert isinstance(erf_net().eft().vertex_integral(4), sympy.Integral)
        _, y = erf_net().eft().arguments
        assert box_integral([erf_net().eft().kernel], y, sympy.Integer(2)) is None

    @pytest.mark.parametrize(("net", "power"), [(erf_net(), "Lambda\\*\\*1"), (relu_net(input_dim=2), "Lambda\\*\\*6")])
    def test_divergent_integrals_are_refused(self, net, power):
        with pytest.raises(DivergentIntegralError, match=power):
            net.eft().vertex_integral(4, cutoff=sympy.oo)
        with pytest.raises(DivergentIntegralError, match="finite cutoff"):
            net.eft().beta_functions(cutoff="oo")

    def test_homogeneous_kernels(self):
        assert [relu_net(input_dim=d, hidden_bias=False).eft().is_homogeneous for d in (1, 2, 3)] == [True] * 3
        assert not relu_net().eft().is_homogeneous
        assert not erf_net(hidden_bias=False).eft().is_homogeneous
        x = sympy.symbols("x_1:3", real=True)
        assert homogeneous_degree((x[0] + x[1]) ** 2 - x[0] ** 2, x) == 2
        assert homogeneous_degree(sympy.asin(x[0] / x[1]) * x[1] ** 3, x) == 3
        assert homogeneous_degree(sympy.exp(x[0]), x) is None


class TestBetaFunctions:
    @pytest.mark.parametrize("dim", [1, 2, 3])
    def test_powers(self, dim):
        lam, kappa = symbol("lambda"), symbol("kappa")
        beta = relu_net(input_dim=dim, hidden_bias=False).eft().beta_functions(cutoff="Lambda")
        assert (beta[4].leading, beta[6].leading) == (-(dim + 4) * lam, -(dim + 6) * kappa)
        assert beta[4].is_exact
        assert beta[4].relevance == "irrelevant"
        erf = erf_net(input_dim=dim).eft().beta_functions()
        assert (erf[4].leading, erf[6].leading) == (-dim * lam, -dim * kappa)
        assert not erf[4].is_exact
        gauss = gauss_net(input_dim=dim).eft().beta_functions()
        assert (gauss[4].leading, gauss[4].relevance) == (0, "marginal")

    def test_with_bias_the_power_holds_far_out_only(self):
        beta = relu_net().eft(max_fields=8).beta_functions()
        assert list(beta) == [4, 6, 8]
        assert not beta[4].is_exact
        assert beta[8].leading == -9 * symbol("g_8")

    def test_closed_form_runs_to_the_power(self):
        """For a Gaussian kernel beta is known at every cutoff, and vanishes far out."""
        eft = gauss_net().at(sigma_w0=1, sigma_w1=1).eft()
        beta, x = eft.beta_functions()[4], dict(zip(symbols_x(4), (0, 1, -1, sympy.Rational(1, 2)), strict=True))
        exact = beta.exact.subs(x).subs(symbol("lambda"), 1)
        found = [float(exact.subs(beta.cutoff, c)) for c in (0.01, 1, 3, 8)]
        assert found[0] == pytest.approx(-1, abs=1e-3)  # a small box holds a constant
        assert found[0] < found[1] < found[2] < found[3] <= 0
        assert abs(found[3]) < 1e-40

    def test_logarithm(self):
        """|y|**(-1/4) in one dimension: the vertex of four fields is at the edge."""
        from diagrams.beta_functions import BetaFunction

        beta = BetaFunction(4, symbol("lambda"), symbol("Lambda"), 1, sympy.Rational(-1, 4), None)
        assert beta.relevance == "marginally irrelevant"
        assert beta.leading == -symbol("lambda") / sympy.log(symbol("Lambda"))
        running = beta.running(2, 10)
        assert sympy.simplify(symbol("Lambda") * running.diff(symbol("Lambda")) - beta.leading.subs("lambda", 0)) != 0
        slope = symbol("Lambda") * running.diff(symbol("Lambda"))
        assert sympy.simplify(slope - beta.leading.xreplace({symbol("lambda"): running})) == 0

    def test_running_solves_the_equation(self):
        beta = relu_net(input_dim=2, hidden_bias=False).eft().beta_functions()[6]
        running = beta.running(3, 5)
        assert sympy.simplify(beta.cutoff * running.diff(beta.cutoff) + 8 * running) == 0

    def test_what_is_shown(self):
        beta = relu_net(hidden_bias=False).eft().beta_functions()
        assert r"\beta(\lambda) ={} & - 5 \lambda" in beta.to_latex()
        assert "irrelevant" in beta._repr_html_()
        assert "faster than any power" in str(cos_net().eft().beta_functions())
        with pytest.raises(KeyError, match="max_fields"):
            beta[8]


class TestBadInput:
    def test_of_the_theory(self):
        with pytest.raises(ValueError, match="even integer"):
            relu_net().eft(max_fields=5)
        with pytest.raises(ValueError, match="one output"):
            relu_net(output_dim=2).eft()
        with pytest.raises(ValueError, match="odd correlators"):
            relu_net(mean_w1=1).eft()
        with pytest.raises(ValueError, match="coordinates"):
            cos_net(input_dim=sympy.Symbol("d", positive=True, integer=True)).eft()

    def test_of_cutoff_and_points(self):
        eft = relu()
        for wrong in (0, -1, sympy.Symbol("u")):
            with pytest.raises(ValueError, match="cutoff"):
                eft.vertex_integral(4, cutoff=wrong)
        with pytest.raises(ValueError, match="give a name"):
            eft.beta_functions(cutoff=100)
        with pytest.raises(TypeError, match="4 points"):
            eft.coupling(4, 1, 2)
        with pytest.raises(ValueError, match="couplings of"):
            eft.coupling(8)

    def test_notes_say_where_no_closed_form_is_known(self):
        assert "hidden bias" in " ".join(relu_net(hidden_bias=True).eft().notes)
        assert relu_net(hidden_bias=False).eft().notes == ()
        assert "sigma_b1" in str(gauss_net(output_bias=True).eft())

    def test_output_bias_meets_no_vertex(self):
        eft = gauss_net(output_bias=True).eft()
        assert eft.kernel - eft.weight_kernel == symbol("sigma_b1") ** 2
        assert eft.vertex_integral(2, 0, 0) == gauss_net().eft().vertex_integral(2, 0, 0)

    def test_a_net_of_your_own(self):
        w, x = symbol("w"), symbol("x")
        net = network(w**2 * x**2, parameters={w: Gaussian(1)}, point=x)
        assert net.eft().beta_functions()[4].leading == -9 * symbol("lambda")


def symbols_x(n):
    return [symbol(f"x_{i + 1}") for i in range(n)]
