r"""The compiled kernels of Markov chains over the parameters of a deformed free scalar net.

A network is :math:`\phi(x) = \sum_i w_i \cos(k_i \cdot x + c_i)` with :math:`w_i = z_i A(|k_i|)/\sqrt N`,
:math:`A = A_0 (k^2 + m^2)^{-q}`, z standard normal, k of density :math:`(k^2 + m^2)^{-s}` in a ball and c uniform.
Lanes are neurons. Along a line of equidistant nodes (cos, sin) is rotated, forwards to sum the field and backwards to
sum its gradients, so that a line costs one sine and one cosine for each neuron.
"""

from __future__ import annotations

from functools import cache
from typing import Any

from numerics import elementary
from numerics._codegen import load_module
from numerics.kernels import philox

_MODULE = """
from numba import njit, prange

FLAGS = {'contract', 'nsz', 'reassoc', 'arcp'}
U64 = np.uint64
UNIT = 2.0**-32
TURN = 0.15915494309189535
TWO_PI = 6.283185307179586
LANES = 64
REAL = 0 * LANES
IMAG = 1 * LANES
STEP_REAL = 2 * LANES
STEP_IMAG = 3 * LANES
WEIGHT = 4 * LANES
G_COS = 5 * LANES
G_SIN = 6 * LANES
G_FAR = 7 * LANES


@njit(fastmath=FLAGS, error_model='numpy')
def words(n, tag, draw, chain, key0, key1, plane):
    for i in range(n):
        w0, w1, w2, w3 = philox4x32(U64(i), U64(draw), U64(chain), U64(tag), key0, key1)
        plane[0, i] = np.float64(np.int64(w0))
        plane[1, i] = np.float64(np.int64(w1))
        plane[2, i] = np.float64(np.int64(w2))


@njit(fastmath=FLAGS, error_model='numpy')
def fill_normals(out, tag, draw, chain, key0, key1, plane):
    n = out.shape[0]
    half = (n + 1) // 2
    words(half, tag, draw, chain, key0, key1, plane)
    for i in range(half):
        u = (plane[0, i] + (plane[1, i] + 0.5) * UNIT) * UNIT
        plane[0, i] = np.sqrt(-2.0 * LOG(u))
    for i in range(half):
        out[i] = plane[0, i] * COS(plane[2, i] * UNIT)
    for i in range(n - half):
        out[half + i] = plane[0, i] * SIN(plane[2, i] * UNIT)


@njit(fastmath=FLAGS, error_model='numpy')
def amplitudes(k, law, amplitude, u):
    n = u.shape[0]
    for i in range(n):
        u[i] = law[0]
    for mu in range(k.shape[0]):
        row = k[mu]
        for i in range(n):
            u[i] += row[i] * row[i]
    if law[2] == 0.5:
        for i in range(n):
            amplitude[i] = law[1] / np.sqrt(u[i])
    else:
        for i in range(n):
            amplitude[i] = law[1] * EXP(-law[2] * LOG(u[i]))
    width = int(law[4])
    root = 1.0 / np.sqrt(law[4])
    for i in range(width):
        amplitude[i] *= root
    for i in range(width, n):
        amplitude[i] = 0.0


@njit(fastmath=FLAGS, error_model='numpy')
def waves(k, c, place, real, imag):
    n = c.shape[0]
    for i in range(n):
        imag[i] = c[i]
    for mu in range(k.shape[0]):
        row = k[mu]
        x = place[mu]
        for i in range(n):
            imag[i] += row[i] * x
    for i in range(n):
        t = imag[i] * TURN
        real[i] = COS(t)
        imag[i] = SIN(t)


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
    for s in range(0, phi.shape[0], 2):
        p0 = 0.0
        p1 = 0.0
        for l in range(LANES):
            x = row[REAL + l]
            y = row[IMAG + l]
            ex = row[STEP_REAL + l]
            ey = row[STEP_IMAG + l]
            w = row[WEIGHT + l]
            p0 += w * x
            x1 = x * ex - y * ey
            y1 = x * ey + y * ex
            p1 += w * x1
            row[REAL + l] = x1 * ex - y1 * ey
            row[IMAG + l] = x1 * ey + y1 * ex
        phi[s] += p0
        phi[s + 1] += p1


@njit(fastmath=FLAGS, error_model='numpy')
def backward(force, row):
    for l in range(LANES):
        row[G_SIN + l] = 0.0
        row[G_FAR + l] = 0.0
    for s in range(force.shape[0] - 2, -1, -2):
        f0 = force[s]
        f1 = force[s + 1]
        h0 = f0 * s
        h1 = f1 * (s + 1)
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
            row[G_COS + l] += f1 * x1 + f0 * x0
            row[G_SIN + l] += f1 * y1 + f0 * y0
            row[G_FAR + l] += h1 * y1 + h0 * y0


@njit(fastmath=FLAGS, error_model='numpy')
def energy(z, k, c, law, starts, step, table, is_gradient, scratch, phi, force, grad_z, grad_k, grad_c):
    n = z.shape[0]
    dim = k.shape[0]
    n_blocks = n // LANES
    u = scratch[0]
    amplitude = scratch[1]
    rows = scratch[2:].reshape((n_blocks, 8 * LANES))
    amplitudes(k, law, amplitude, u)
    for b in range(n_blocks):
        row = rows[b]
        for l in range(LANES):
            i = b * LANES + l
            t = k[0, i] * (step * TURN)
            row[STEP_REAL + l] = COS(t)
            row[STEP_IMAG + l] = SIN(t)
            row[WEIGHT + l] = z[i] * amplitude[i]
            row[G_COS + l] = 0.0
    prior = 0.0
    if law[3] != 0.0:
        for i in range(n):
            prior += LOG(u[i])
        prior *= law[3]
    if is_gradient:
        for i in range(n):
            grad_c[i] = 0.0
        for mu in range(dim):
            for i in range(n):
                grad_k[mu, i] = 0.0
    top = table.shape[2] - 1
    total = 0.0
    for r in range(starts.shape[0]):
        for s in range(phi.shape[0]):
            phi[s] = 0.0
        for b in range(n_blocks):
            start_line(b * LANES, k, c, starts[r], rows[b])
            forward(rows[b], phi)
        for s in range(phi.shape[0]):
            p = phi[s]
            v = table[r, s, top]
            f = 0.0
            for j in range(top - 1, -1, -1):
                f = f * p + v
                v = v * p + table[r, s, j]
            total += v
            force[s] = f
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
        grad_c[first + l] += row[G_SIN + l]
    for mu in range(grad_k.shape[0]):
        x = place[mu]
        out = grad_k[mu, first:first + LANES]
        if mu == 0:
            for l in range(LANES):
                out[l] += step * row[G_FAR + l] + x * row[G_SIN + l]
        else:
            for l in range(LANES):
                out[l] += x * row[G_SIN + l]


@njit(fastmath=FLAGS, error_model='numpy')
def finish(first, law, row, u, amplitude, k, grad_z, grad_k, grad_c):
    for mu in range(k.shape[0]):
        out = grad_k[mu, first:first + LANES]
        here = k[mu, first:first + LANES]
        for l in range(LANES):
            inner = law[3] - law[2] * row[WEIGHT + l] * row[G_COS + l]
            out[l] = 2.0 * here[l] / u[first + l] * inner - row[WEIGHT + l] * out[l]
    for l in range(LANES):
        grad_z[first + l] = row[G_COS + l] * amplitude[first + l]
        grad_c[first + l] *= -row[WEIGHT + l]


@njit(error_model='numpy')
def fly(k, p, time, speed, radius):
    dim = k.shape[0]
    for i in range(k.shape[1]):
        left = time * speed
        v2 = 0.0
        for mu in range(dim):
            v2 += p[mu, i] * p[mu, i]
        if v2 == 0.0:
            continue
        for bounce in range(1000):
            kv = 0.0
            k2 = 0.0
            for mu in range(dim):
                kv += k[mu, i] * p[mu, i]
                k2 += k[mu, i] * k[mu, i]
            inside = max(radius * radius - k2, 0.0)
            until = (np.sqrt(kv * kv + v2 * inside) - kv) / v2
            ahead = min(left, until)
            for mu in range(dim):
                k[mu, i] += ahead * p[mu, i]
            left -= ahead
            if left <= 0.0:
                break
            k2 = 0.0
            kv = 0.0
            for mu in range(dim):
                k2 += k[mu, i] * k[mu, i]
                kv += k[mu, i] * p[mu, i]
            turn = 2.0 * kv / k2
            shrink = min(1.0, radius / np.sqrt(k2))
            for mu in range(dim):
                p[mu, i] -= turn * k[mu, i]
                k[mu, i] *= shrink


@njit(fastmath=FLAGS, error_model='numpy')
def kinetic(pz, pk, pc, z):
    total = 0.0
    for i in range(z.shape[0]):
        total += pz[i] * pz[i] + pc[i] * pc[i] + z[i] * z[i]
    for mu in range(pk.shape[0]):
        row = pk[mu]
        for i in range(z.shape[0]):
            total += row[i] * row[i]
    return 0.5 * total


@njit(fastmath=FLAGS, error_model='numpy')
def kick(time, pz, pk, pc, speeds, grad_z, grad_k, grad_c):
    n = pz.shape[0]
    for i in range(n):
        pz[i] -= time * grad_z[i]
        pc[i] -= time * speeds[1] * grad_c[i]
    for mu in range(pk.shape[0]):
        row = pk[mu]
        other = grad_k[mu]
        for i in range(n):
            row[i] -= time * speeds[0] * other[i]


@njit(fastmath=FLAGS, error_model='numpy')
def drift(time, z, k, c, pz, pk, pc, speeds, radius):
    cosine = np.cos(time)
    sine = np.sin(time)
    for i in range(z.shape[0]):
        q = z[i]
        p = pz[i]
        z[i] = cosine * q + sine * p
        pz[i] = cosine * p - sine * q
        c[i] += time * speeds[1] * pc[i]
    fly(k, pk, time, speeds[0], radius)


@njit(error_model='numpy')
def one_chain(chain, first, count, state_z, state_k, state_c, law, starts, step, table, time, n_leaps, speeds, radius,
              use_gradient, key0, key1, points, fields, actions, accepted, parts, factors, products):
    n = state_z.shape[0]
    dim = state_k.shape[0]
    scratch = np.empty((10, n))
    plane = np.empty((3, n))
    phi = np.empty(table.shape[1])
    force = np.empty(table.shape[1])
    z = state_z.copy()
    k = state_k.copy()
    c = state_c.copy()
    grad_z = np.zeros(n)
    grad_k = np.zeros((dim, n))
    grad_c = np.zeros(n)
    old_z = np.zeros(n)
    old_k = np.zeros((dim, n))
    old_c = np.zeros(n)
    pz = np.empty(n)
    pk = np.empty((dim, n))
    pc = np.empty(n)
    action, prior = energy(z, k, c, law, starts, step, table, use_gradient, scratch, phi, force,
                           grad_z, grad_k, grad_c)
    old_z[:] = grad_z
    old_k[:] = grad_k
    old_c[:] = grad_c
    for t in range(count):
        draw = first + t
        fill_normals(pz, 0, draw, chain, key0, key1, plane)
        fill_normals(pc, 1, draw, chain, key0, key1, plane)
        for mu in range(dim):
            fill_normals(pk[mu], 2 + mu, draw, chain, key0, key1, plane)
        w0, w1, w2, w3 = philox4x32(U64(0), U64(draw), U64(chain), U64(1000), key0, key1)
        height = np.log((np.float64(w0) + 0.5) * UNIT)
        e = time * (0.8 + 0.4 * (np.float64(w1) + 0.5) * UNIT)
        before = action + prior + kinetic(pz, pk, pc, z)
        for leap in range(n_leaps):
            if use_gradient:
                kick(0.5 * e, pz, pk, pc, speeds, grad_z, grad_k, grad_c)
            drift(e, z, k, c, pz, pk, pc, speeds, radius)
            if use_gradient:
                new_action, new_prior = energy(z, k, c, law, starts, step, table, True, scratch, phi, force,
                                               grad_z, grad_k, grad_c)
                kick(0.5 * e, pz, pk, pc, speeds, grad_z, grad_k, grad_c)
        if not use_gradient:
            new_action, new_prior = energy(z, k, c, law, starts, step, table, False, scratch, phi, force,
                                           grad_z, grad_k, grad_c)
        change = new_action + new_prior + kinetic(pz, pk, pc, z) - before
        is_new = height < -change  # false where the change is not a number
        if is_new:
            action = new_action
            prior = new_prior
            for i in range(n):
                c[i] -= TWO_PI * np.floor(c[i] / TWO_PI + 0.5)
            state_z[:] = z
            state_k[:] = k
            state_c[:] = c
            old_z[:] = grad_z
            old_k[:] = grad_k
            old_c[:] = grad_c
        else:
            z[:] = state_z
            k[:] = state_k
            c[:] = state_c
            grad_z[:] = old_z
            grad_k[:] = old_k
            grad_c[:] = old_c
        accepted[t, 0] = min(1.0, np.exp(-change)) if change == change else 0.0
        accepted[t, 1] = 1.0 if is_new else 0.0
        accepted[t, 2] = 0.0 if abs(change) < 1000.0 else 1.0
        actions[t] = action
        if is_new or t == 0:
            measure(z, k, c, law, starts, step, table, points, scratch, phi, fields[t], parts[t], factors, products)
        else:
            fields[t] = fields[t - 1]
            parts[t] = parts[t - 1]


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
    n = z.shape[0]
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


@njit(parallel=True, error_model='numpy', cache=True)
def run_chains(first, count, z, k, c, law, starts, step, table, time, n_leaps, speeds, radius, use_gradient,
               key0, key1, points, fields, actions, accepted, parts, factors, products):
    for chain in prange(z.shape[0]):
        one_chain(chain, first, count, z[chain], k[chain], c[chain], law, starts, step, table, time, n_leaps, speeds,
                  radius, use_gradient, key0, key1, points, fields[chain], actions[chain], accepted[chain],
                  parts[chain], factors, products)


@njit(parallel=True, error_model='numpy', cache=True)
def measure_all(z, k, c, law, starts, step, table, points, fields, actions, parts, factors, products):
    for net in prange(z.shape[0]):
        scratch = np.empty((10, z.shape[1]))
        phi = np.empty(table.shape[1])
        actions[net] = measure(z[net], k[net], c[net], law, starts, step, table, points, scratch, phi, fields[net],
                               parts[net], factors, products)


@njit(error_model='numpy', cache=True)
def energy_and_gradient(z, k, c, law, starts, step, table, grad_z, grad_k, grad_c):
    scratch = np.empty((10, z.shape[0]))
    phi = np.empty(table.shape[1])
    force = np.empty(table.shape[1])
    return energy(z, k, c, law, starts, step, table, True, scratch, phi, force, grad_z, grad_k, grad_c)
"""


@cache
def module() -> Any:
    """Return the module with ``run_chains``, ``measure_all`` and ``energy_and_gradient``."""
    names = {"COS": "cos_turns", "SIN": "sin_turns", "LOG": "log", "EXP": "exp"}
    body = _MODULE
    for short, name in names.items():
        body = body.replace(f"{short}(", f"{elementary.function_name(name, 'float64')}(")
    library = elementary.library(sorted(names.values()), "float64")
    return load_module(f"{library}\n{philox.source()}\n{body}", label="scalar_chains")
