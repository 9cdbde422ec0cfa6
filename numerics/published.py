"""Networks, inputs and widths of the experiments of arXiv:2008.08601 (section 3 and appendix)."""

from __future__ import annotations

from itertools import product
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from diagrams.architectures import Architecture

WIDTHS = (2, 3, 4, 5, 10, 20, 50, 100, 500, 1000)
NETS = ("erf", "gauss", "relu")
#: Widths where couplings are read off.
COUPLING_WIDTHS = {"erf": 5, "gauss": 1000, "relu": 20}
#: Cutoffs of the vertices there.
COUPLING_CUTOFFS = {"erf": 100.0, "gauss": float("inf"), "relu": 100.0}

_SIGNED = (-1.0, -0.6, -0.2, 0.2, 0.6, 1.0)
_POSITIVE = (0.2, 0.4, 0.6, 0.8, 1.0, 1.2)
_TETRAHEDRON = ((-1.0, -1.0, -1.0), (1.0, 1.0, -1.0), (-1.0, 1.0, 1.0), (1.0, -1.0, 1.0))
_SMALL = 0.01  # of the Gauss-net, whose moments grow fast with inputs


def published_net(name: str, input_dim: int = 1, *, width: int | None = None) -> Architecture:
    """Return a network of the paper: all standard deviations one, no biases for ReLU.

    Parameters
    ----------
    name : {"erf", "gauss", "relu"}
    input_dim : int
    width : int, optional
        Default: stays a symbol.

    Examples
    --------
    >>> print(published_net("relu", width=20))
    relu_net(input_dim=1).at(N=20, sigma_w0=1, sigma_w1=1)
    """
    from diagrams.architectures import erf_net, gauss_net, relu_net

    _check(name)
    if name == "relu":
        net = relu_net(input_dim=input_dim, hidden_bias=False).at(sigma_w0=1, sigma_w1=1)
    else:
        make = {"erf": erf_net, "gauss": gauss_net}[name]
        net = make(input_dim=input_dim, output_bias=True).at(sigma_w0=1, sigma_w1=1, sigma_b0=1, sigma_b1=1)
    return net if width is None else net.at(N=width)


def published_inputs(name: str, input_dim: int = 1, *, held_out: bool = False) -> NDArray[np.float64]:
    """Return the inputs of the paper, shape (n_points, input_dim).

    Parameters
    ----------
    name : {"erf", "gauss", "relu"}
    input_dim : {1, 2, 3}
    held_out : bool
        The inputs that tested fits of couplings, in one dimension.

    Raises
    ------
    ValueError
        For another net or dimension.

    Examples
    --------
    >>> published_inputs("relu").ravel()
    array([0.2, 0.4, 0.6, 0.8, 1. , 1.2])
    """
    _check(name)
    if input_dim not in (1, 2, 3) or (held_out and input_dim != 1):
        raise ValueError(f"the paper has inputs in 1, 2 and 3 dimensions (held-out ones in 1), got {input_dim!r}")
    if held_out or (name == "relu" and input_dim == 1):
        x = np.array(_POSITIVE)[:, None] * (np.sqrt(0.5) if held_out else 1.0)
    elif name == "relu":
        corners = tuple(product((0.5, 1.0), repeat=2))
        some = ((0.2, 0.2, 0.2), (1.0, 1.0, 0.2), (0.2, 1.0, 1.0), (1.0, 0.2, 1.0))
        x = np.array(corners if input_dim == 2 else some)
    else:
        x = np.array({1: [(c,) for c in _SIGNED], 2: tuple(product((-1.0, 1.0), repeat=2)), 3: _TETRAHEDRON}[input_dim])
    return _SMALL * x if name == "gauss" else x


def _check(name: str) -> None:
    if name not in NETS:
        raise ValueError(f"the paper has the nets {', '.join(map(repr, NETS))}, got {name!r}")
