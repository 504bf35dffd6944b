"""JAX on a GPU: the work of gpu_pytorch.py (works.py), under jit with lax.scan.

    python3 gpu_jax.py                    everything, one JSON line for each measurement
    python3 gpu_jax.py --works table6     works whose names contain this
    python3 gpu_jax.py --quick            tiny sizes, to see that it runs

Variants: the depthwise perception as a grouped convolution or as shifted sums, which XLA fuses; products in float32 or
TF32; the scan keeps what it needs (none), only the state of each step (step), or only every sqrt(steps)-th (segment).
Each is measured in a process of its own, because JAX cannot reset its peak of memory. Times are medians after warming up.
"""

import itertools
import json
import math
import os
import subprocess
import sys
import time

os.environ.setdefault('XLA_PYTHON_CLIENT_PREALLOCATE', 'false')

import nca
from nca import ALIVE_ABOVE, ALPHA, CHANNELS, FILTERS, FIRE_RATE, RATE, TINY
from works import SIZES, SLOPE, arguments, chosen, measured

parser = arguments()
parser.add_argument('--one', help='one measurement as JSON, in this process')
options = parser.parse_args()


def variants(name, work):
    kept = ['none'] if not work.train else ['step', 'segment'] if name.startswith('table2') else ['none', 'step']
    forms = ['convolution'] if work.network == 'conv' else ['convolution', 'shifts']
    for form, precision, keep in itertools.product(forms, ('float32', 'tensorfloat32'), kept):
        yield {'work': name, 'perception': form, 'precision': precision, 'checkpoint': keep}


def measure(work, perception, precision, checkpoint):
    import jax
    import jax.numpy as jnp
    from jax import lax

    jax.config.update('jax_default_matmul_precision', precision)
    network, batch, side, steps, train = chosen(options)[work]
    full = network == 'conv'
    key = jax.random.PRNGKey(1)
    keys = iter(jax.random.split(key, 16))
    disc = jnp.where(nca.disc(jnp.arange(side), side), 1.0, 1.0 if full else 0.0)
    x0 = (jax.random.uniform(next(keys), (batch, side, side, CHANNELS)) * disc[:, :, None]).at[..., ALPHA].set(disc)
    target = jax.random.uniform(next(keys), (side, side, 4))
    perceived, hidden = SIZES[network]

    def weights(*shape):
        limit = 1 / math.sqrt(math.prod(shape[:-1]))
        return jax.random.uniform(next(keys), shape, minval=-limit, maxval=limit)

    last = 0.01 * jax.random.normal(next(keys), (hidden, CHANNELS))
    params = {'w1': weights(perceived, hidden), 'b1': jnp.zeros(hidden),
              'w2': last.at[:, ALPHA].set(0) if full else last,  # so that every cell stays alive
              'b2': jnp.zeros(CHANNELS)}
    if full:
        params['kernel'] = weights(3, 3, CHANNELS, perceived)
        params['bias'] = jnp.zeros(perceived)
    filters = jnp.tile(jnp.stack(jnp.array(FILTERS), -1)[:, :, None], (1, 1, 1, CHANNELS))

    activate = (lambda x: jax.nn.leaky_relu(x, SLOPE)) if full else jax.nn.relu

    def convolve(x, kernel, groups=1, padding='SAME'):
        return lax.conv_general_dilated(
            x, kernel, (1, 1), padding, dimension_numbers=('NHWC', 'HWIO', 'NHWC'), feature_group_count=groups)

    def shifts(x):
        padded = jnp.pad(x, ((0, 0), (1, 1), (1, 1), (0, 0)))
        tap = lambda i, j: padded[:, i:i + side, j:j + side]
        falling, rising = tap(2, 2) - tap(0, 0), tap(0, 2) - tap(2, 0)
        dx = (falling + rising + 2 * (tap(1, 2) - tap(1, 0))) / 8
        dy = (falling - rising + 2 * (tap(2, 1) - tap(0, 1))) / 8
        return jnp.stack([x, dx, dy], -1).reshape(batch, side, side, 3 * CHANNELS)

    def perceive(p, x):
        if full:
            around = jnp.pad(x, ((0, 0), (1, 1), (1, 1), (0, 0)), mode='wrap')
            return activate(convolve(around, p['kernel'], padding='VALID') + p['bias'])
        return convolve(x, filters, CHANNELS) if perception == 'convolution' else shifts(x)

    def living(x):
        return lax.reduce_window(
            lax.stop_gradient(x[..., ALPHA:ALPHA + 1]), -jnp.inf, lax.max, (1, 3, 3, 1), (1, 1, 1, 1), 'SAME') > ALIVE_ABOVE

    def step(p, x, key):
        fires = jax.random.bernoulli(key, FIRE_RATE, (batch, side, side, 1))
        return nca.step(x, fires, lambda x: activate(perceive(p, x) @ p['w1'] + p['b1']) @ p['w2'] + p['b2'], living)

    def rollout(p, key):
        every = step if checkpoint == 'none' else jax.checkpoint(step)
        several = lambda x, keys: lax.scan(lambda x, k: (every(p, x, k), None), x, keys)[0]
        keys = jax.random.split(key, steps)
        if checkpoint != 'segment':
            return several(x0, keys)
        segment = 2 ** round(math.log2(steps) / 2)  # steps are powers of two
        segments = keys.reshape(steps // segment, segment, *keys.shape[1:])
        return lax.scan(lambda x, k: (jax.checkpoint(several)(x, k), None), x0, segments)[0]

    def loss(p, key):
        return jnp.mean((rollout(p, key)[..., :4] - target) ** 2)

    def training(p, m, v, t, key):
        value, grads = jax.value_and_grad(loss)(p, key)
        each = jax.tree_util.tree_map
        grads = each(lambda g: g / (jnp.linalg.norm(g) + TINY), grads)
        m = each(lambda m, g: 0.9 * m + 0.1 * g, m, grads)
        v = each(lambda v, g: 0.999 * v + 0.001 * g * g, v, grads)
        rate = RATE * jnp.sqrt(1 - 0.999 ** t) / (1 - 0.9 ** t)
        return each(lambda p, m, v: p - rate * m / (jnp.sqrt(v) + 1e-7), p, m, v), m, v, t + 1, value

    if train:
        zeros = jax.tree_util.tree_map(jnp.zeros_like, params)
        run = jax.jit(training)
        arguments = (params, zeros, zeros, jnp.float32(1), key)
    else:
        run = jax.jit(rollout)
        arguments = (params, key)

    def once():
        started = time.perf_counter()
        jax.block_until_ready(run(*arguments))
        return (time.perf_counter() - started) * 1e3

    compiling = once()
    times = measured(once, options.seconds)
    device = jax.devices()[0]
    stats = device.memory_stats() or {}
    return {
        **times, 'firstMs': compiling,
        'peakMB': stats['peak_bytes_in_use'] / 2 ** 20 if 'peak_bytes_in_use' in stats else None,
        'version': jax.__version__, 'device': device.device_kind,
    }


if options.one:
    print(json.dumps(measure(**json.loads(options.one))), flush=True)
    sys.exit()

for name, work in chosen(options).items():
    for variant in variants(name, work):
        passed = ['--seconds', str(options.seconds), *(['--quick'] if options.quick else [])]
        child = subprocess.run(
            [sys.executable, __file__, '--one', json.dumps(variant), *passed], capture_output=True, text=True)
        lines = [line for line in child.stdout.splitlines() if line.startswith('{')]
        errors = [line for line in child.stderr.splitlines() if 'Error' in line or 'RESOURCE_EXHAUSTED' in line]
        result = json.loads(lines[-1]) if child.returncode == 0 and lines else {
            'error': errors[-1][:300] if errors else f'ended with {child.returncode}'}
        print(json.dumps({'engine': 'JAX', **variant, **result}), flush=True)
