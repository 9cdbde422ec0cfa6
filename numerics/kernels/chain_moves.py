"""Source of the compiled moves of chains: random numbers, exact flights, leapfrog steps, acceptance.

Output weights turn exactly under their Gaussian, momenta fly and are reflected at the sphere of the cutoff, phases are
periodic. The energy and what is measured are in :mod:`numerics.kernels.scalar_energy` and
:mod:`numerics.kernels.scalar_measure`; z is as long as there are neurons times fields, k and c as neurons.
"""

from __future__ import annotations

MOVES = """
from numba import njit

FLAGS = {'contract', 'nsz', 'reassoc', 'arcp'}
U64 = np.uint64
UNIT = 2.0**-32
TURN = 0.15915494309189535
TWO_PI = 6.283185307179586


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
        total += pz[i] * pz[i] + z[i] * z[i]
    for i in range(pc.shape[0]):
        total += pc[i] * pc[i]
    for mu in range(pk.shape[0]):
        row = pk[mu]
        for i in range(pc.shape[0]):
            total += row[i] * row[i]
    return 0.5 * total


@njit(fastmath=FLAGS, error_model='numpy')
def kick(time, pz, pk, pc, speeds, grad_z, grad_k, grad_c):
    n = pc.shape[0]
    for i in range(pz.shape[0]):
        pz[i] -= time * grad_z[i]
    for i in range(n):
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
    for i in range(c.shape[0]):
        c[i] += time * speeds[1] * pc[i]
    fly(k, pk, time, speeds[0], radius)


@njit(error_model='numpy')
def keep(z, k, c, to_z, to_k, to_c):  # by loops: assigned arrays bring the text of errors with them
    for i in range(z.shape[0]):
        to_z[i] = z[i]
    for mu in range(k.shape[0]):
        for i in range(k.shape[1]):
            to_k[mu, i] = k[mu, i]
    for i in range(c.shape[0]):
        to_c[i] = c[i]


@njit(nogil=True, error_model='numpy', cache=True)
def move_chains(chain0, chain1, first, count, states_z, states_k, states_c, law, starts, step, table, time, n_leaps,
                speeds, radius, use_gradient, key0, key1, points, fields, actions, accepted, parts, factors, products):
    n_weights = states_z.shape[1]
    dim, n = states_k.shape[1:]
    scratch = np.empty((N_ROWS, n))
    plane = np.empty((3, n_weights))
    phi = np.empty((N_FIELDS, table.shape[1]))
    force = np.empty((N_FIELDS, table.shape[1]))
    z, grad_z, old_z = np.empty(n_weights), np.zeros(n_weights), np.zeros(n_weights)
    k, grad_k, old_k = np.empty((dim, n)), np.zeros((dim, n)), np.zeros((dim, n))
    c, grad_c, old_c = np.empty(n), np.zeros(n), np.zeros(n)
    momenta = np.empty(n_weights + (1 + dim) * n)
    pz = momenta[:n_weights]
    pc = momenta[n_weights:n_weights + n]
    pk = momenta[n_weights + n:].reshape((dim, n))
    for chain in range(chain0, chain1):
        state_z, state_k, state_c = states_z[chain], states_k[chain], states_c[chain]
        keep(state_z, state_k, state_c, z, k, c)
        action, prior = energy(z, k, c, law, starts, step, table, use_gradient, scratch, phi, force,
                               grad_z, grad_k, grad_c)
        keep(grad_z, grad_k, grad_c, old_z, old_k, old_c)
        new_action, new_prior = action, prior
        for t in range(count):
            draw = first + t
            for tag in range(dim + 2):  # output weights, phases, momenta one after the other
                stop = n_weights + tag * n
                fill_normals(momenta[stop - n if tag else 0:stop], tag, draw, chain, key0, key1, plane)
            w0, w1, w2, w3 = philox4x32(U64(0), U64(draw), U64(chain), U64(1000), key0, key1)
            height = np.log((np.float64(w0) + 0.5) * UNIT)
            e = time * (0.8 + 0.4 * (np.float64(w1) + 0.5) * UNIT)
            before = action + prior + kinetic(pz, pk, pc, z)
            for leap in range(n_leaps):
                if use_gradient:
                    kick(0.5 * e, pz, pk, pc, speeds, grad_z, grad_k, grad_c)
                drift(e, z, k, c, pz, pk, pc, speeds, radius)
                if use_gradient or leap == n_leaps - 1:
                    new_action, new_prior = energy(z, k, c, law, starts, step, table, use_gradient, scratch, phi,
                                                   force, grad_z, grad_k, grad_c)
                if use_gradient:
                    kick(0.5 * e, pz, pk, pc, speeds, grad_z, grad_k, grad_c)
            change = new_action + new_prior + kinetic(pz, pk, pc, z) - before
            is_new = height < -change  # false where the change is not a number
            if is_new:
                action = new_action
                prior = new_prior
                for i in range(n):
                    c[i] -= TWO_PI * np.floor(c[i] / TWO_PI + 0.5)
                keep(z, k, c, state_z, state_k, state_c)
                keep(grad_z, grad_k, grad_c, old_z, old_k, old_c)
            else:
                keep(state_z, state_k, state_c, z, k, c)
                keep(old_z, old_k, old_c, grad_z, grad_k, grad_c)
            accepted[chain, t, 0] = min(1.0, np.exp(-change)) if change == change else 0.0
            accepted[chain, t, 1] = 1.0 if is_new else 0.0
            accepted[chain, t, 2] = 0.0 if abs(change) < 1000.0 else 1.0
            actions[chain, t] = action
            if is_new or t == 0:
                measure(z, k, c, law, starts, step, table, points, scratch, phi, fields[chain, t], parts[chain, t],
                        factors, products)
            else:
                for p in range(fields.shape[2]):
                    fields[chain, t, p] = fields[chain, t - 1, p]
                for p in range(parts.shape[2]):
                    parts[chain, t, p] = parts[chain, t - 1, p]
"""
