"""Compiled steps of gradient descent for groups of networks with one hidden layer of rectifiers and no biases.

The hidden neurons of a group of networks are the rows of one matrix, so that the first layer is one product forward and
one backward. The products are those of BLAS, called from compiled code; everything in between runs over rows that lie
in the cache of a processor. A group is always worked on alone and in the same shapes: its result does not depend on
which other groups are trained beside it.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit

FLAGS = {"contract", "nsz"}  # no reordering: sums are left to BLAS

# every function is in this file, so that the cache on disk notices each edit
_compiled = njit(cache=True, nogil=True, error_model="numpy", fastmath=FLAGS)


@_compiled
def _take(inputs: Any, rows: Any, batch: Any, across: Any) -> None:
    """Copy rows of the inputs into ``batch`` and their transpose, in tiles for the first cache, into ``across``."""
    n, width = batch.shape
    for b in range(n):
        row = inputs[rows[b]]
        for d in range(width):
            batch[b, d] = row[d]
    for first in range(0, width, 16):
        last = min(first + 16, width)
        for b in range(n):
            for d in range(first, last):
                across[d, b] = batch[b, d]


@_compiled
def _rectified(z: Any) -> None:
    """Replace negative numbers by zero."""
    zero = z.dtype.type(0)
    flat = z.reshape(z.size)
    for i in range(flat.size):
        flat[i] = flat[i] if flat[i] > zero else zero


@_compiled
def _to_gradient(f: Any, y: Any) -> None:
    """Replace outputs by the gradient of the mean squared error with respect to them."""
    flat, wanted = f.reshape(f.size), y.reshape(y.size)
    scale = f.dtype.type(2.0 / f.size)
    for i in range(flat.size):
        flat[i] = scale * (flat[i] - wanted[i])


@_compiled
def _through_hidden(hidden: Any, back: Any) -> None:
    """Replace hidden values by what comes back, where they are positive."""
    zero = hidden.dtype.type(0)
    flat, found = hidden.reshape(hidden.size), back.reshape(back.size)
    for i in range(flat.size):
        flat[i] = found[i] if flat[i] > zero else zero


@_compiled
def _descend(w: Any, g: Any, rate: Any) -> None:
    """Take one step of gradient descent."""
    weights, gradient = w.reshape(w.size), g.reshape(g.size)
    for i in range(weights.size):
        weights[i] -= rate * gradient[i]


@_compiled
def _adam(w: Any, g: Any, m: Any, v: Any, rate: Any, correction: Any) -> None:
    """Take one step of Adam; the rate holds the correction of the first moment."""
    weights, gradient, first, second = w.reshape(w.size), g.reshape(g.size), m.reshape(m.size), v.reshape(v.size)
    kind = w.dtype.type
    b1, a1, b2, a2, eps = kind(0.9), kind(1 - 0.9), kind(0.999), kind(1 - 0.999), kind(1e-8)
    for i in range(weights.size):
        slope = gradient[i]
        first[i] = b1 * first[i] + a1 * slope
        second[i] = b2 * second[i] + a2 * (slope * slope)
        weights[i] -= rate * first[i] / (np.sqrt(correction * second[i]) + eps)


@_compiled
def train_groups(
    first: Any, second: Any, moments: Any, last_moments: Any, inputs: Any, targets: Any, rows: Any, rates: Any,
    corrections: Any,
) -> None:  # fmt: skip
    """Train groups of networks in place on the mean squared error of batches.

    Parameters
    ----------
    first : array (groups, networks, hidden, inputs)
    second : array (groups, networks, outputs, hidden)
    moments, last_moments : array (2, ...)
        Moments of Adam for both layers; without networks (2, 0, ...) for gradient descent.
    inputs : array (n, inputs)
    targets : array (n, outputs)
    rows : array (steps, batch) or (1, batch)
        Of the data at each step; one row of numbers: the same at all.
    rates, corrections : array (steps,)
        Adam: the rate over one minus the power of 0.9, and one over one minus the power of 0.999.
    """
    groups, nets, hidden, width = first.shape
    outputs, size = second.shape[2], rows.shape[1]
    batch, across = np.empty((size, width), first.dtype), np.empty((width, size), first.dtype)
    wanted, f = np.empty((outputs, size), first.dtype), np.empty((outputs, size), first.dtype)
    z, back = np.empty((nets, hidden, size), first.dtype), np.empty((hidden, size), first.dtype)
    gradient, last = np.empty((nets * hidden, width), first.dtype), np.empty((nets, outputs, hidden), first.dtype)
    adam = moments.shape[1] > 0
    for s in range(len(rates)):
        if s == 0 or len(rows) > 1:
            now = rows[s]
            _take(inputs, now, batch, across)
            for b in range(size):
                for o in range(outputs):
                    wanted[o, b] = targets[now[b], o]
        for g in range(groups):
            np.dot(first[g].reshape(nets * hidden, width), across, z.reshape(nets * hidden, size))
            _rectified(z)
            for i in range(nets):
                np.dot(second[g, i], z[i], f)
                _to_gradient(f, wanted)
                np.dot(f, z[i].T, last[i])
                np.dot(second[g, i].T, f, back)
                _through_hidden(z[i], back)
            np.dot(z.reshape(nets * hidden, size), batch, gradient)
            if adam:
                _adam(first[g], gradient, moments[0, g], moments[1, g], rates[s], corrections[s])
                _adam(second[g], last, last_moments[0, g], last_moments[1, g], rates[s], corrections[s])
            else:
                _descend(first[g], gradient, rates[s])
                _descend(second[g], last, rates[s])
