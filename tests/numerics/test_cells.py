"""The public contract: cells that must run exactly as typed, and the names that packages export."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest
import sympy

import diagrams
import numerics

EXPORTED = {
    diagrams: [
        "Action", "Architecture", "Ball", "BetaFunction", "BetaFunctions", "BilocalInteraction", "Box",
        "ClusterDecomposition", "ConnectedCorrelators", "Constant", "Correlator", "CutoffAction",
        "CutoffSeries", "DeepArchitecture", "Density", "DerivativeExpansion", "DiagramStream", "Diagrams",
        "Discrete", "DivergentIntegralError", "EffectiveTheory", "Euclidean", "ExpectationIntegral",
        "FILTERS", "FeynmanGraph", "FeynmanRules", "Field", "FieldDeformed", "Gamma", "Gaussian",
        "GaussianWeight", "Group", "GrowthError", "IndependentSum", "InnerProduct", "InvariantTensors",
        "LargeWidth", "LocalInteraction", "LocalityReport", "MatrixGroup", "Mixture", "Model",
        "ModelPosition", "ModelStream", "Moments", "MomentumKernel", "MomentumShellFlow", "NeuronSum",
        "Orthogonal", "ParameterVerdict", "Permutation", "RulesTable", "Series", "Sites", "SmoothFamily", "SquareRoot",
        "StreamPosition", "StudentT", "SymmetryVerdict", "Symplectic", "TangentKernel", "TiltedArchitecture",
        "Translation", "Uniform", "UniformPhase", "Unitary", "VectorInteraction", "Vertex", "WavePackets", "aslatex",
        "bipartite",
        "cluster_decomposition", "complex_phi4", "cos_net", "count_diagrams", "cumulants_from_moments",
        "cutoff_propagator", "deep_net", "deform", "derivative_expansion", "diagrams_to_order",
        "edgeworth_density", "edgeworth_log_density", "enumerate_diagrams", "erf_net", "evaluate",
        "expand_channels", "expand_in", "finite_width_correlators", "gauss_net", "in_coordinates",
        "in_moments", "independent_sum", "interacting_correlators", "invariant_tensors", "iter_diagrams",
        "latex_fragment", "linear_net", "local_action", "locality", "mixture", "moments_from_cumulants",
        "momentum_kernel", "momentum_shell_flow", "network", "neuron_sum", "o_n", "o_n_theory",
        "one_variable_couplings", "phi4", "phi4_net", "phi_n", "preamble", "prove_symmetry", "qed",
        "qgraf_filter", "quartic_action", "recovered_couplings", "relu_net", "rules_table", "scalar",
        "scalar_net", "score_family", "symbol", "tilted", "total_weight", "with_parameter_list", "write_tex",
        "yukawa",
    ],
    numerics: [
        "AccuracyGrid", "CancellationWarning", "CheckpointError", "CheckpointWarning", "ClusterTest",
        "Comparison", "CorrelatorValues", "CouplingFit", "CouplingFlow", "CouplingTensor", "CubatureError",
        "CutoffWarning", "DerivativeKernel", "Edgeworth", "EffectiveSampleSizeError", "Ensemble", "Estimate",
        "FallOff", "FieldSamples", "GridLines", "GridSettings", "HeavyTailWarning", "IDXError",
        "InputSymmetryTest", "IntegralEstimate", "InteractingSamples", "Kernel", "LayeredNet", "Naturalness",
        "NotConvergedError", "OscillatorCorrelators", "PointAction", "SchwingerDyson", "ShellTrajectory",
        "SixPointPrediction", "SymmetryBreaking", "SymmetryRanking", "SymmetryTest", "TrainingRun", "VertexIntegrals",
        "ViolationOrder", "WidthStudy", "accuracy_grid", "change_by_interaction", "cluster_test", "compare",
        "correlator_values", "coupling_tensor", "duality_claims", "edgeworth_density", "eft_claims",
        "exact_correlators", "expected_tangent_kernel", "extract_couplings", "fall_off", "field_monte_carlo",
        "grid_amplitude", "grid_amplitudes", "ground_state_energies", "input_symmetry_test",
        "interacting_values", "load_fashion_mnist", "lower", "lower_derivatives", "naturalness",
        "o_n_oscillator_correlators", "oscillator_correlators", "point_action", "published_inputs", "published_net",
        "random_elements", "rank_symmetries", "read_idx", "register_function", "rg_flow", "run_couplings",
        "sample_field", "sample_interacting",
        "sampled_tangent_kernels", "schwinger_dyson_test", "six_point_prediction", "symmetry_breaking",
        "symmetry_test", "tangent_kernel", "tangent_kernel_symmetry", "train_ensemble", "training_claims",
        "usable_gpu", "vector_first_order",
        "vertex_amplitude", "vertex_integral", "vertex_integrals", "violation_order",
        "width_study",
    ],
}  # fmt: skip


def test_exported_names():
    for package, names in EXPORTED.items():
        assert sorted(package.__all__) == names
        assert all(hasattr(package, name) for name in names)


def test_cell_1_enumerate(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    from diagrams import enumerate_diagrams, phi4

    theory = phi4()
    G2 = theory.diagrams(legs=2, max_loops=2)
    assert [(d.n_loops, d.symmetry_factor) for d in G2] == [(0, 1), (1, 2), (2, 4), (2, 4), (2, 6)]
    assert type(G2[-1].graph).__name__ == "MultiGraph"
    assert {data["kind"] for _, data in G2[-1].graph.nodes(data=True)} == {"leg", "interaction"}
    amplitude = theory.amplitude(G2[-1])
    assert amplitude.as_coeff_Mul()[0] == sympy.Rational(1, 6)
    assert amplitude.has(sympy.Integral)
    assert list(theory.correlator(legs=2, order=2)) == [0, 1, 2]
    G2.write_tex("two_point.tex")
    assert (tmp_path / "two_point.tex").read_text().count(r"\begin{tikzpicture}") == 5
    ds = enumerate_diagrams(
        valences=(4,), legs=4, loops=3, connected=True, one_particle_irreducible=False,
        self_loops=True, tadpoles=True, labelled=True,
    )  # fmt: skip
    free = enumerate_diagrams(valences=(4,), legs=4, loops=3, labelled=False)
    assert sum(d.multiplicity for d in free) == len(ds)
    assert free.total_weight() * 24 == ds.total_weight()
    assert "<svg" in G2._repr_html_()
    assert theory._repr_latex_()


def test_cell_2_derive_an_action(capsys):
    from diagrams import cos_net, one_variable_couplings

    net = cos_net(input_dim=1)
    Gc = net.connected_correlators(max_points=6)
    x = sympy.symbols("a b c d", real=True)
    assert Gc[4](*x).has(net.N)
    S = Gc.action(order=2)
    assert list(S.coupling(4)) == [1, 2]
    assert len(S.coupling(4).diagrams) == 4
    print(S.to_latex(terms_per_line=2))
    assert "N^{-2}" in capsys.readouterr().out
    assert one_variable_couplings(order=3)[4][2].has(diagrams.symbol("k6"))
    back = S.correlators(order=2)
    assert back[4](*x) == Gc[4](*x)


def test_cell_3_check_on_sampled_networks():
    from diagrams import cos_net
    from numerics import Ensemble, compare, lower, point_action

    net = cos_net(input_dim=1)
    x = np.linspace(-1, 1, 6)[:, None]
    net20 = net.at(N=20, sigma_w0=1, sigma_w1=1)
    measured = Ensemble(net20, n_nets=10**6, seed=0, backend="numba").connected_correlators(
        x, max_points=4, progress=True
    )
    result = compare(net20, measured)
    assert result.max_pull < 5
    assert result.pulls.shape == (6 + 21 + 56 + 126,)
    assert 0 < result.chi2 < 4 * result.dof
    assert len(result.table) == len(result.pulls)
    f = lower(net20.connected_correlators(max_points=4)[4], backend="numba")
    values = f(x[:, None], x[None, :], x[0], x[1])
    exact = net20.connected_correlators(max_points=4)[4](-1, sympy.Rational(-1, 5), -1, sympy.Rational(-3, 5))
    assert values.shape == (6, 6)
    np.testing.assert_allclose(values[0, 2], float(exact), rtol=1e-12)
    A = point_action(net20, x[:2], order=2)
    assert A.couplings[4].shape == (2, 2, 2, 2)
    phi = np.zeros((7, 2))
    assert A.value(phi).shape == (7,)
    assert A.gradient(phi).shape == (7, 2)


def test_a_foreign_package_named_diagrams_is_reported(tmp_path):
    (tmp_path / "diagrams").mkdir()
    (tmp_path / "diagrams" / "__init__.py").write_text("class Diagram: ...\n")
    code = f"import sys; sys.path.insert(0, {str(tmp_path)!r}); import numerics"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode
    assert "ImportError" in done.stderr
    assert str(tmp_path / "diagrams" / "__init__.py") in done.stderr
    assert "virtual environment" in done.stderr


def test_cell_5_independence_breaking():
    from diagrams import cos_net

    net = cos_net(input_dim=1)
    from diagrams import neuron_sum

    V = neuron_sum(net.w0**2) ** 2 / net.N**2
    broken = net.tilted(V, strength="alpha")
    Gc = broken.connected_correlators(max_points=4, order={"alpha": 1})
    assert [exponents for exponents, _ in Gc[4].series.terms] == [(1, 0), (2, 1), (3, 1)]
    assert not Gc[4].survives()
    s0, s1, v = diagrams.symbol("sigma_w0"), diagrams.symbol("sigma_w1"), sympy.Rational(2, 3)
    first_order = sum(Gc[2].series[k, 1] / net.N**k for k in (1, 2)).subs(
        {diagrams.symbol("x_1"): v, diagrams.symbol("x_2"): 0}
    )
    expected = s1**2 * s0**6 / (2 * net.N**2) * sympy.exp(-(s0**2) * v**2 / 2)
    expected *= 2 * (net.N + 2) * v**2 - s0**2 * v**4  # arXiv:2307.03223, section 2.3, this tilt worked out
    at = {net.N: 7, s0: sympy.Rational(3, 2), s1: 2}
    assert abs(float((first_order - expected).subs(at))) < 1e-14


def test_cell_6_effective_field_theory():
    from diagrams import cos_net, relu_net

    net = cos_net(input_dim=1)
    eft = net.eft(max_fields=6)
    assert not any(b.leading for b in eft.beta_functions(cutoff="Lambda").values())
    net = relu_net(input_dim=1, hidden_bias=False)
    eft = net.eft(max_fields=6)
    beta = eft.beta_functions(cutoff="Lambda")
    assert (str(beta[4].leading), str(beta[6].leading)) == ("-5*lambda", "-7*kappa")
    from numerics import extract_couplings, rg_flow

    x, net20 = np.array([[0.2], [1.0]]), net.at(N=20, sigma_w0=1, sigma_w1=1)
    assert extract_couplings(net20, x, cutoff=10.0)["phi^4"] == pytest.approx(-12.5 / 20 / 10**5)
    assert rg_flow(net20, x).slope == pytest.approx(-5)


def test_cell_7_symmetry_via_duality():
    from diagrams import Euclidean, Orthogonal, Translation, Unitary, cos_net
    from numerics import symmetry_test

    net = cos_net(input_dim=1)
    assert net.symmetry(Euclidean(1)).holds
    assert "absorbed" in repr(net.symmetry(Euclidean(1)))
    assert net.symmetry(Translation(1)).holds
    outputs = np.random.default_rng(0).standard_normal((2000, 4, 1))
    assert symmetry_test(outputs, Unitary(2)).holds
    assert symmetry_test(outputs, Orthogonal(4)).holds
