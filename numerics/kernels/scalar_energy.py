r"""Source of the compiled energy of a deformed free scalar net and of its gradient, for any number of fields.

Fields share momenta and phases, and each has output weights of its own:
:math:`\phi_a(x) = \sum_i w_{ai} \cos(k_i \cdot x + c_i)`. Lanes are neurons. Along a line of equidistant nodes (cos,
sin) is rotated, forwards to sum the fields and backwards to sum the gradients, so that a line costs one sine and one
cosine for each neuron, however many fields there are.
"""

from __future__ import annotations

Powers = tuple[tuple[int, ...], ...]

# a line with {a} stands for one line for each field
_ENERGY = """
LANES = 64
REAL = 0 * LANES
IMAG = 1 * LANES
STEP_REAL = 2 * LANES
STEP_IMAG = 3 * LANES
WEIGHT_{a} = (4 * {a} + 4) * LANES
G_COS_{a} = (4 * {a} + 5) * LANES
G_SIN_{a} = (4 * {a} + 6) * LANES
G_FAR_{a} = (4 * {a} + 7) * LANES


@njit(fastmath=FLAGS, error_model='numpy')
def start_line(first, k, c, place, row):
    for l in range(LANES):
        row[IMAG + l] = c[first + l]
    for mu in range(k.shape[0]):
        here = k[mu, first:first + LANES]
        x = place[mu]
        for l in range(LANES):
            row[IMAG + l] += here[l] * x
    for l in range(LANES):
        t = row[IMAG + l] * TURN
        row[REAL + l] = COS(t)
        row[IMAG + l] = SIN(t)


@njit(fastmath=FLAGS, error_model='numpy')
def forward(row, phi):
    for s in range(0, phi.shape[1], 2):
        here_{a} = 0.0
        next_{a} = 0.0
        for l in range(LANES):
            x = row[REAL + l]
            y = row[IMAG + l]
            ex = row[STEP_REAL + l]
            ey = row[STEP_IMAG + l]
            here_{a} += row[WEIGHT_{a} + l] * x
            x1 = x * ex - y * ey
            y1 = x * ey + y * ex
            next_{a} += row[WEIGHT_{a} + l] * x1
            row[REAL + l] = x1 * ex - y1 * ey
            row[IMAG + l] = x1 * ey + y1 * ex
        phi[{a}, s] += here_{a}
        phi[{a}, s + 1] += next_{a}


@njit(fastmath=FLAGS, error_model='numpy')
def backward(force, row):
    for l in range(LANES):
        row[G_SIN_{a} + l] = 0.0
        row[G_FAR_{a} + l] = 0.0
    for s in range(force.shape[1] - 2, -1, -2):
        here_{a} = force[{a}, s]
        next_{a} = force[{a}, s + 1]
        here_far_{a} = here_{a} * s
        next_far_{a} = next_{a} * (s + 1)
        for l in range(LANES):
            x = row[REAL + l]
            y = row[IMAG + l]
            ex = row[STEP_REAL + l]
            ey = row[STEP_IMAG + l]
            x1 = x * ex + y * ey
            y1 = y * ex - x * ey
            x0 = x1 * ex + y1 * ey
            y0 = y1 * ex - x1 * ey
            row[REAL + l] = x0
            row[IMAG + l] = y0
            row[G_COS_{a} + l] += next_{a} * x1 + here_{a} * x0
            row[G_SIN_{a} + l] += next_{a} * y1 + here_{a} * y0
            row[G_FAR_{a} + l] += next_far_{a} * y1 + here_far_{a} * y0


@njit(fastmath=FLAGS, error_model='numpy', cache=True)
def energy(z, k, c, law, starts, step, table, is_gradient, scratch, phi, force, grad_z, grad_k, grad_c):
    n = c.shape[0]
    dim = k.shape[0]
    n_blocks = n // LANES
    u = scratch[0]
    amplitude = scratch[1]
    rows = scratch[2:].reshape((n_blocks, (N_ROWS - 2) * LANES))
    amplitudes(k, law, amplitude, u)
    for b in range(n_blocks):
        row = rows[b]
        for l in range(LANES):
            i = b * LANES + l
            t = k[0, i] * (step * TURN)
            row[STEP_REAL + l] = COS(t)
            row[STEP_IMAG + l] = SIN(t)
            row[WEIGHT_{a} + l] = z[{a} * n + i] * amplitude[i]
            row[G_COS_{a} + l] = 0.0
    prior = 0.0
    if law[3] != 0.0:
        for i in range(int(law[4])):
            prior += LOG(u[i])
        prior *= law[3]
    if is_gradient:
        for i in range(n):
            grad_c[i] = 0.0
        for mu in range(dim):
            for i in range(n):
                grad_k[mu, i] = 0.0
    total = 0.0
    for r in range(starts.shape[0]):
        phi[:] = 0.0
        for b in range(n_blocks):
            start_line(b * LANES, k, c, starts[r], rows[b])
            forward(rows[b], phi)
        total += potential(table[r], phi, force)
        if is_gradient:
            for b in range(n_blocks):
                backward(force, rows[b])
                add_line(b * LANES, starts[r], step, rows[b], grad_k, grad_c)
    if is_gradient:
        for b in range(n_blocks):
            finish(b * LANES, law, rows[b], u, amplitude, k, grad_z, grad_k, grad_c)
    return total, prior


@njit(fastmath=FLAGS, error_model='numpy')
def add_line(first, place, step, row, grad_k, grad_c):
    for l in range(LANES):
        sine = 0.0
        far = 0.0
        sine += row[WEIGHT_{a} + l] * row[G_SIN_{a} + l]
        far += row[WEIGHT_{a} + l] * row[G_FAR_{a} + l]
        row[G_SIN_0 + l] = sine
        row[G_FAR_0 + l] = far
        grad_c[first + l] += sine
    for mu in range(grad_k.shape[0]):
        x = place[mu]
        out = grad_k[mu, first:first + LANES]
        if mu == 0:
            for l in range(LANES):
                out[l] += step * row[G_FAR_0 + l] + x * row[G_SIN_0 + l]
        else:
            for l in range(LANES):
                out[l] += x * row[G_SIN_0 + l]


@njit(fastmath=FLAGS, error_model='numpy')
def finish(first, law, row, u, amplitude, k, grad_z, grad_k, grad_c):
    n = u.shape[0]
    for mu in range(k.shape[0]):
        out = grad_k[mu, first:first + LANES]
        here = k[mu, first:first + LANES]
        for l in range(LANES):
            slope = 0.0
            slope += row[WEIGHT_{a} + l] * row[G_COS_{a} + l]
            own = law[3] if amplitude[first + l] > 0.0 else 0.0  # lanes beyond the width are free
            out[l] = 2.0 * here[l] / u[first + l] * (own - law[2] * slope) - out[l]
    for l in range(LANES):
        grad_z[{a} * n + first + l] = row[G_COS_{a} + l] * amplitude[first + l]
        grad_c[first + l] *= -1.0
"""

_ONE_FIELD = """
@njit(fastmath=FLAGS, error_model='numpy')
def potential(table, phi, force):
    top = table.shape[1] - 1
    total = 0.0
    for s in range(phi.shape[1]):
        p = phi[0, s]
        v = table[s, top]
        f = 0.0
        for j in range(top - 1, -1, -1):
            f = f * p + v
            v = v * p + table[s, j]
        total += v
        force[0, s] = f
    return total
"""


def energy_source(powers: Powers = ()) -> str:
    """Return the source of ``energy`` and what it needs.

    Parameters
    ----------
    powers : tuple of tuples of int, optional
        Powers of the fields in the monomials that the columns of the table multiply; default: one field, all powers in
        order.
    """
    n_fields = len(powers[0]) if powers else 1
    numbers = f"N_FIELDS = {n_fields}\nN_ROWS = {4 * n_fields + 6}\n"
    return numbers + _for_each_field(_ENERGY, n_fields) + (_polynomial(powers) if powers else _ONE_FIELD)


def _for_each_field(text: str, n_fields: int) -> str:
    lines = []
    for line in text.splitlines():
        lines += [line.replace("{a}", str(a)) for a in range(n_fields)] if "{a}" in line else [line]
    return "\n".join(lines)


def _polynomial(powers: Powers) -> str:
    """Return the source of a polynomial of several fields and of its slopes, written out monomial by monomial."""
    n_fields, top = len(powers[0]), max(map(max, powers))
    lines = ["@njit(fastmath=FLAGS, error_model='numpy')", "def potential(table, phi, force):"]
    lines += ["    total = 0.0", "    for s in range(phi.shape[1]):"]
    for a in range(n_fields):
        lines.append(f"        p{a}_1 = phi[{a}, s]")
        lines += [f"        p{a}_{n} = p{a}_{n - 1} * p{a}_1" for n in range(2, top + 1)]
    values = [_monomial(j, 1, exponents) for j, exponents in enumerate(powers)]
    lines.append(f"        total += {' + '.join(values)}")
    for a in range(n_fields):
        slopes = [_slope(j, exponents, a) for j, exponents in enumerate(powers) if exponents[a]]
        lines.append(f"        force[{a}, s] = {' + '.join(slopes) or '0.0'}")
    return "\n" + "\n".join([*lines, "    return total"]) + "\n"


def _monomial(column: int, factor: int, exponents: tuple[int, ...]) -> str:
    fields = [f"p{a}_{n}" for a, n in enumerate(exponents) if n]
    return " * ".join([f"table[s, {column}]", *([f"{factor}.0"] if factor > 1 else []), *fields])


def _slope(column: int, exponents: tuple[int, ...], a: int) -> str:
    lowered = tuple(n - (b == a) for b, n in enumerate(exponents))
    return _monomial(column, exponents[a], lowered)
