r"""phi^4 theory as a random network, and the propagator with a momentum cutoff in closed form."""

from __future__ import annotations

from typing import Any

import sympy

from diagrams.architectures import check_dimension, scalar_net
from diagrams.distributions import Distribution
from diagrams.engineering import FieldDeformed, deform
from diagrams.interactions import Interaction, LocalInteraction
from diagrams.momenta import radial_power_integral, sphere_area
from diagrams.regions import Box, GaussianWeight, Region, exact_real
from diagrams.symbols import symbol
from diagrams.typing import Expr
from diagrams.vector_interactions import VectorInteraction


def phi4_net(
    *,
    input_dim: int = 1,
    mass: Any = None,
    cutoff: Any = None,
    coupling: Any = None,
    box: Any = None,
    weight: Any = None,
    alpha: Any = -1,
    readout: Distribution | None = None,
    components: int = 1,
    width: Any = None,
) -> FieldDeformed:
    r"""Return phi^4 theory as an ensemble of networks: the free scalar net, deformed by the interaction.

    .. math:: P(\theta) = \frac1Z P_0(\theta) \exp\Big[-\frac{\lambda}{4!} \int f(x)\, \phi_\theta(x)^4\, d^dx\Big]

    The free net has :math:`G_2(p) = \theta(\Lambda - |p|)/(p^2 + m^2)` at every width; the theory is reached as
    N -> infinity (arXiv:2307.03223, section 5; exponent alpha after arXiv:2604.27050). The connected correlators of
    the free net are ``.base.connected_correlators()``, exact in N; other interactions go through :func:`deform`.

    Parameters
    ----------
    input_dim : int
        Dimension d of space.
    mass, cutoff, coupling : number or sympy.Expr, optional
        m, the radius Lambda of the ball of momenta, and lambda; default the symbols of these names.
    box : number or sympy.Expr, optional
        Side L of the box :math:`[-L/2, L/2]^d` in which the field interacts; default the symbol L.
    weight : number or sympy.Expr, optional
        Instead of a box, the width L of the weight :math:`f = e^{-x^2/(2L^2)}`.
    alpha : number
        Amplitudes grow as :math:`(k^2 + m^2)^{\alpha/2}`, the density of momenta as :math:`(k^2 + m^2)^{-\alpha-1}`.
    readout : Distribution, optional
        Density of sqrt(N) times an output weight, by default a standard normal; its variance must be one for the
        propagator to be the one above.
    components : int
        Number n of components of the field: above one, O(n) theory with :math:`\frac{\lambda}{4!} (\phi_a\phi_a)^2`.
        Components share momenta and phases and have independent output weights, so that the ensemble is O(n)
        invariant at every width; what they share makes :math:`G_c^{(4)}` of two different components of order 1/N.
    width : int, optional
        Number of neurons; default the symbol N, which ``.at(N=...)`` replaces.

    Returns
    -------
    FieldDeformed

    Raises
    ------
    TypeError, ValueError
        If the mass, the cutoff or a length is not positive, the coupling is negative, or both box and weight are
        given.

    Warns
    -----
    UserWarning
        If the box is shorter than the shortest wavelength, 2 pi / cutoff.

    Examples
    --------
    >>> phi4_net(input_dim=1, mass=1, cutoff=8, coupling=0.5, box=4.0)
    <FieldDeformed: scalar_net(input_dim=1) deformed by {4: 1/2} on Box(length=4)>
    >>> phi4_net(mass=1, cutoff=8, coupling=0.5, box=4.0, components=2)
    <FieldDeformed: scalar_net(input_dim=1, output_dim=2) deformed by {4: 1/2} on Box(length=4)>
    """
    if box is not None and weight is not None:
        raise ValueError(f"give either box (side {box!r}) or weight (Gaussian width {weight!r}), not both")
    region: Region = GaussianWeight(weight) if weight is not None else Box(symbol("L") if box is None else box)
    lam = symbol("lambda") if coupling is None else exact_real("the coupling", coupling)
    if lam.is_negative:
        raise ValueError(
            f"the coupling must be >= 0, got {coupling!r}: exp(-lambda/4! int phi^4) grows without bound for "
            "negative lambda and cannot be normalised"
        )
    m, top = _mass_and_cutoff(mass, cutoff)
    options = {"input_dim": input_dim, "mass": m, "cutoff": top, "alpha": alpha, "readout": readout}
    interaction: Interaction = LocalInteraction({4: lam}, region=region)
    if components != 1:
        interaction = VectorInteraction(components, {4: lam}, region=region)
    net = deform(scalar_net(output_dim=components, **options), interaction)
    return net if width is None else net.at(N=width)


def cutoff_propagator(*, input_dim: int = 1, mass: Any = None, cutoff: Any = None, separation: Any = 0) -> Expr:
    r"""Return :math:`G_2(r) = \int_{|p| < \Lambda} \frac{d^dp}{(2\pi)^d} \frac{e^{ip \cdot x}}{p^2 + m^2}`, r = \|x\|.

    At r = 0 it is elementary in every dimension (1 to 4 are the ones of interest). At r > 0 the odd dimensions 1 and 3
    are closed in the exponential integral :math:`E_1`,

    .. math:: G_2(r) = \frac{e^{-mr}}{2m} - \frac{1}{2 \pi m} \Im\big[ e^{-mr} E_1(-mr - i\Lambda r)
              - e^{mr} E_1(mr - i\Lambda r) \big] \quad (d = 1),

    and the others are kept as one exact integral over the modulus of the momentum.

    Parameters
    ----------
    input_dim : int
        d.
    mass, cutoff : number or sympy.Expr, optional
        m and the radius Lambda; default the symbols of these names.
    separation : number or sympy.Expr
        r >= 0; a symbol is taken to be different from zero.

    Raises
    ------
    ValueError
        If the mass or the cutoff is not positive, or r is negative.

    Examples
    --------
    >>> cutoff_propagator(input_dim=2)
    log(Lambda**2/m**2 + 1)/(4*pi)
    >>> cutoff_propagator(input_dim=1, mass=1, cutoff=8, separation=0.5).evalf(6)
    0.299465
    """
    d, r = check_dimension(input_dim), exact_real("the separation", separation)
    m, top = _mass_and_cutoff(mass, cutoff)
    if r.is_negative:
        raise ValueError(f"the separation must be >= 0, got {separation!r}")
    if r == 0:
        return sphere_area(d) / (2 * sympy.pi) ** d * radial_power_integral(d, sympy.S.One, m, top)
    decay, growth = (sympy.exp(s * m * r) * sympy.expint(1, s * m * r - sympy.I * top * r) for s in (-1, 1))
    if d == 1:
        return sympy.exp(-m * r) / (2 * m) - sympy.im(decay - growth) / (2 * sympy.pi * m)
    if d == 3:
        return sympy.exp(-m * r) / (4 * sympy.pi * r) - sympy.im(decay + growth) / (4 * sympy.pi**2 * r)
    point = (r, *[sympy.S.Zero] * (d - 1))
    return scalar_net(input_dim=d, mass=m, cutoff=top).connected_correlators(max_points=2)[2](point, (0,) * d)


def _mass_and_cutoff(mass: Any, cutoff: Any) -> tuple[Expr, Expr]:
    values = []
    for what, name, value in (("mass", "m", mass), ("cutoff", "Lambda", cutoff)):
        number = symbol(name) if value is None else exact_real(f"the {what}", value)
        if number.is_nonpositive:
            raise ValueError(f"the {what} must be positive, got {value!r}")
        values.append(number)
    return values[0], values[1]
