r"""Source of what chains measure: fields at points, the interaction, and conditional moments of one field.

For one field the integrals :math:`\int V^{(n)}(\phi(y)) \prod_i K(x_i, y)\, dy` of integration by parts
(:mod:`numerics.parts`) are summed as well; several fields are measured plainly.
"""

from __future__ import annotations

_ONE_FIELD = """
@njit(fastmath=FLAGS, error_model='numpy')
def overlap(rows, phi_rows, n_points, n_steps, cross):
    for p in range(0, n_points - 1, 2):
        a = rows[p]
        b = rows[p + 1]
        for s in range(0, n_steps, 2):
            x = phi_rows[s]
            y = phi_rows[s + 1]
            ax = 0.0
            ay = 0.0
            bx = 0.0
            by = 0.0
            for i in range(a.shape[0]):
                ax += a[i] * x[i]
                ay += a[i] * y[i]
                bx += b[i] * x[i]
                by += b[i] * y[i]
            cross[p, s] = ax
            cross[p, s + 1] = ay
            cross[p + 1, s] = bx
            cross[p + 1, s + 1] = by
    if n_points % 2:
        a = rows[n_points - 1]
        for s in range(0, n_steps, 2):
            x = phi_rows[s]
            y = phi_rows[s + 1]
            ax = 0.0
            ay = 0.0
            for i in range(a.shape[0]):
                ax += a[i] * x[i]
                ay += a[i] * y[i]
            cross[n_points - 1, s] = ax
            cross[n_points - 1, s + 1] = ay


@njit(fastmath=FLAGS, error_model='numpy')
def dot(a, b):
    total = 0.0
    for i in range(a.shape[0]):
        total += a[i] * b[i]
    return total


@njit(fastmath=FLAGS, error_model='numpy')
def derivatives(coefficients, p, out):
    top = coefficients.shape[0] - 1
    for j in range(out.shape[0]):
        out[j] = 0.0
    out[0] = coefficients[top]
    for n in range(top - 1, -1, -1):
        for j in range(out.shape[0] - 1, 0, -1):
            out[j] = out[j] * p + out[j - 1]
        out[0] = out[0] * p + coefficients[n]
    scale = 1.0
    for j in range(2, out.shape[0]):
        scale *= j
        out[j] *= scale


@njit(fastmath=FLAGS, error_model='numpy')
def measure(z, k, c, law, starts, step, table, points, scratch, phi, field, part, factors, products):
    n = c.shape[0]
    n_points = points.shape[0]
    w = scratch[0]
    u = scratch[1]
    real = scratch[2]
    imag = scratch[3]
    step_real = scratch[4]
    step_imag = scratch[5]
    amplitude = scratch[8]
    amplitudes(k, law, amplitude, u)
    for i in range(n):
        w[i] = z[i] * amplitude[i]
    n_parts = part.shape[0]
    rows = np.empty((n_points if n_parts else 1, n))
    for p in range(n_points):
        waves(k, c, points[p], real, imag)
        field[p] = dot(w, real)
        if n_parts:
            for i in range(n):
                rows[p, i] = real[i] * amplitude[i]
    if n_parts == 0:
        return 0.0
    n_pairs = n_points * (n_points + 1) // 2
    at = n_parts - n_pairs
    for p in range(n_points):
        for q in range(p, n_points):
            part[at] = dot(rows[p], rows[q])
            at += 1
    for p in range(n_points):
        for i in range(n):
            rows[p, i] *= amplitude[i]
    for i in range(n):
        t = k[0, i] * (step * TURN)
        step_real[i] = COS(t)
        step_imag[i] = SIN(t)
    n_lines, n_steps = table.shape[0], table.shape[1]
    n_nodes = n_lines * n_steps
    n_rows = factors.shape[0]
    cross = np.empty((n_rows, n_nodes))
    slopes = np.empty((5, n_nodes))
    kept = np.empty((n_steps, n))
    found = np.empty(5)
    lines = cross.reshape((n_rows, n_lines, n_steps))
    total = 0.0
    for r in range(n_lines):
        waves(k, c, starts[r], real, imag)
        for s in range(n_steps):
            row = kept[s]
            for i in range(n):
                x = real[i]
                y = imag[i]
                row[i] = x
                real[i] = x * step_real[i] - y * step_imag[i]
                imag[i] = x * step_imag[i] + y * step_real[i]
        overlap(rows, kept, n_points, n_steps, lines[:, r])
        for s in range(n_steps):
            derivatives(table[r, s], dot(w, kept[s]), found)
            for j in range(5):
                slopes[j, r * n_steps + s] = found[j]
            total += found[0]
    for p in range(n_rows):
        if factors[p, 1] >= 0:
            a = cross[factors[p, 0]]
            b = cross[factors[p, 1]]
            for q in range(n_nodes):
                cross[p, q] = a[q] * b[q]
        part[p] = dot(cross[p], slopes[factors[p, 2]])
    for p in range(products.shape[0]):
        a = cross[products[p, 0]]
        b = cross[products[p, 1]]
        v = slopes[products[p, 2]]
        value = 0.0
        for q in range(n_nodes):
            value += a[q] * b[q] * v[q]
        part[n_rows + p] = value
    return total


@njit(nogil=True, error_model='numpy', cache=True)
def measure_nets(net0, net1, z, k, c, law, starts, step, table, points, fields, actions, parts, factors, products):
    for net in range(net0, net1):
        scratch = np.empty((N_ROWS, c.shape[1]))
        phi = np.empty((N_FIELDS, table.shape[1]))
        actions[net] = measure(z[net], k[net], c[net], law, starts, step, table, points, scratch, phi, fields[net],
                               parts[net], factors, products)
"""

_SEVERAL_FIELDS = """
@njit(fastmath=FLAGS, error_model='numpy')
def measure(z, k, c, law, starts, step, table, points, scratch, phi, field, part, factors, products):
    n = c.shape[0]
    n_points = points.shape[0]
    u = scratch[0]
    amplitude = scratch[1]
    real = scratch[2]
    imag = scratch[3]
    amplitudes(k, law, amplitude, u)
    for p in range(n_points):
        waves(k, c, points[p], real, imag)
        for a in range(N_FIELDS):
            total = 0.0
            for i in range(n):
                total += z[a * n + i] * amplitude[i] * real[i]
            field[a * n_points + p] = total


@njit(nogil=True, error_model='numpy', cache=True)
def measure_nets(net0, net1, z, k, c, law, starts, step, table, points, fields, actions, parts, factors, products):
    for net in range(net0, net1):
        scratch = np.empty((N_ROWS, c.shape[1]))
        phi = np.empty((N_FIELDS, table.shape[1]))
        force = np.empty((N_FIELDS, table.shape[1]))
        none = np.empty((1, 1))
        actions[net] = energy(z[net], k[net], c[net], law, starts, step, table, False, scratch, phi, force, none[0],
                              none, none[0])[0]
        measure(z[net], k[net], c[net], law, starts, step, table, points, scratch, phi, fields[net], parts[net],
                factors, products)
"""


def measure_source(n_fields: int) -> str:
    """Return the source of ``measure`` and ``measure_nets``.

    Parameters
    ----------
    n_fields : int
        Above one, no conditional moments are measured.
    """
    return _ONE_FIELD if n_fields == 1 else _SEVERAL_FIELDS
