"""Momentum-shell flow: the diagrams of one loop against the local potential, and against known exponents."""

import pytest
import sympy

from diagrams import cos_net, momentum_shell_flow, o_n_theory, phi4, phi_n, symbol
from diagrams.momentum_shell import shell_area

D, LAM, R, N_C = symbol("d"), symbol("lambda"), symbol("r"), symbol("N_c")


def potential_flow(top, dimension, components=1):
    """Flow of the couplings in V = r f^2/2 + sum g_n f^n / n! from the determinant of one shell.

    Independent of diagrams: integrating out Gaussian fluctuations in the shell adds half the logarithm of 1 + V'' for
    the component along the field, and of 1 + V'/f for each of the others (Wegner and Houghton, section 4).
    """
    f = sympy.Symbol("f", positive=True)
    g = {n: symbol(f"g_{n}") for n in range(4, top + 1, 2)} | {2: R}
    potential = sum(g[n] * f**n / sympy.factorial(n) for n in g)
    along, across = sympy.diff(potential, f, 2), sympy.cancel(sympy.diff(potential, f) / f)
    change = shell_area(dimension) / 2 * (sympy.log(1 + along) + (components - 1) * sympy.log(1 + across))
    flow = {}
    for n, coupling in g.items():
        loops = sympy.diff(change, f, n).subs(f, 0)
        flow[coupling] = (dimension - sympy.Rational(n, 2) * (dimension - 2)) * coupling + loops
    return flow


class TestAgainstTheLocalPotential:
    @pytest.mark.parametrize(("top", "dimension"), [(4, D), (6, D), (8, 3)])
    def test_one_component(self, top, dimension):
        found = momentum_shell_flow(phi_n(4, coupling=symbol("g_4")), dimension, max_fields=top).flow
        for coupling, expected in potential_flow(top, dimension).items():
            assert sympy.simplify(found[coupling] - expected) == 0, coupling

    @pytest.mark.parametrize("components", [N_C, 2])
    def test_several_components(self, components):
        theory = o_n_theory(components, {4: "g_4"})
        found = momentum_shell_flow(theory, D, max_fields=6).flow
        for coupling, expected in potential_flow(6, D, components).items():
            assert sympy.simplify(found[coupling] - expected) == 0, coupling
        wrong = potential_flow(6, D, components + 1)[symbol("g_4")]
        assert sympy.simplify(found[symbol("g_4")] - wrong) != 0


class TestKnownResults:
    def test_four_dimensions(self):
        assert momentum_shell_flow(phi4(), 4).massless() == {LAM: 3 * LAM**2 / (16 * sympy.pi**2)}
        o_n = momentum_shell_flow(o_n_theory(), 4).massless()[LAM]
        assert sympy.simplify(o_n - (N_C + 8) * LAM**2 / (48 * sympy.pi**2)) == 0
        assert sympy.simplify(o_n.subs(N_C, 1) - 3 * LAM**2 / (16 * sympy.pi**2)) == 0

    def test_diagrams_behind_it(self):
        flow = momentum_shell_flow(phi4(), 4)
        assert [(row["n"], row["diagrams"], row["symmetry_factor"]) for row in flow.table] == [(2, 1, 2), (4, 3, 2)]
        assert len(flow.diagrams(4)) == 3
        assert all(d.is_one_particle_irreducible and d.n_loops == 1 for d in flow.diagrams(4))

    def test_exponent_to_first_order_in_four_minus_d(self):
        """1/nu = 2 - (n + 2)/(n + 8) epsilon, whatever the scheme; the other eigenvalue is -epsilon."""
        eps = sympy.Symbol("epsilon", positive=True)
        flow = momentum_shell_flow(o_n_theory(), 4 - eps)
        first = 48 * sympy.pi**2 / (N_C + 8) * eps
        guess = {LAM: first, R: -(N_C + 2) / (2 * (N_C + 8)) * eps}
        for f in flow.flow.values():
            assert sympy.simplify(sympy.series(f.subs(guess), eps, 0, 2).removeO()) == 0
        matrix = flow.stability(guess).applyfunc(lambda e: sympy.series(e, eps, 0, 2).removeO())
        # upper triangular to this order: the lower left element is of order epsilon**2
        assert sympy.simplify(matrix[0, 0] - (2 - (N_C + 2) / (N_C + 8) * eps)) == 0
        assert sympy.simplify(matrix[1, 1] + eps) == 0
        assert sympy.simplify(matrix[1, 0]) == 0

    def test_fixed_points_in_three_dimensions(self):
        flow = momentum_shell_flow(o_n_theory(1), 3)
        gauss, wilson_fisher = flow.fixed_points()
        assert set(gauss.values()) == {0}
        assert wilson_fisher[R] == -sympy.Rational(1, 7)
        assert all(sympy.simplify(f.subs(wilson_fisher)) == 0 for f in flow.flow.values())
        eigenvalues = sorted(complex(e).real for e in flow.stability(wilson_fisher).eigenvals())
        assert eigenvalues[0] < 0 < eigenvalues[1]

    def test_long_range_kinetic_term(self):
        """With k**sigma the upper critical dimension is 2 sigma (Fisher, Ma and Nickel 1972)."""
        k = symbol("k")
        flow = momentum_shell_flow(phi4(), kinetic=k ** sympy.Rational(3, 2))
        assert sympy.simplify(flow.flow[LAM].coeff(LAM, 1) - (3 - D)) == 0
        assert sympy.simplify(flow.flow[R].coeff(R, 1).subs(LAM, 0) - sympy.Rational(3, 2)) == 0


class TestWhatIsShownAndRefused:
    def test_shown(self):
        flow = momentum_shell_flow(phi4(), 4)
        assert r"\frac{d \lambda}{d\ell}" in flow.to_latex()
        assert "<svg" in flow._repr_html_()
        assert "dlambda/dl" in str(flow)
        assert flow.at_dimension(3).dimension == 3

    def test_refused(self):
        with pytest.raises(TypeError, match="local theory"):
            momentum_shell_flow(cos_net().connected_correlators(max_points=4).action(order=1))
        with pytest.raises(ValueError, match="odd powers"):
            momentum_shell_flow(phi_n(3))
        with pytest.raises(ValueError, match="max_fields"):
            momentum_shell_flow(phi4(), max_fields=5)
        with pytest.raises(ValueError, match="dimension"):
            momentum_shell_flow(phi4(), -1)
        with pytest.raises(ValueError, match="kinetic"):
            momentum_shell_flow(phi4(), kinetic=symbol("k") ** 2 + 1)
        with pytest.raises(ValueError, match="no numbers"):
            momentum_shell_flow(phi4()).fixed_points()
