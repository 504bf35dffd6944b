"""Independent references for cellgrad, computed with PyTorch in float64.

Writes three small files of test vectors under tests/reference/ (their layout is described in the README there):

    growing-nca.json   a Growing NCA: states, losses and gradients after 1 and after 32 steps, and 1 circular step
    operators.json     single operators: inputs, upstream cotangent u, output y, one gradient per input
    optimisers.json    5 steps of SGD, Adam, AdamW and Muon, and gradient clipping

Run with `python3 python/reference.py`; needs torch and numpy only. It stops with an AssertionError, and
writes nothing, when one of its own checks fails: torch against a second implementation in plain numpy, gradients
against central differences, and every discrete decision (living mask, ReLU) well away from its threshold.

Model: Mordvintsev et al., "Growing Neural Cellular Automata", Distill 2020, https://distill.pub/2020/growing-ca/
"""

import base64
import json
import math
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F

import nca
import nca_torch
from nca import ALIVE_ABOVE, ALPHA, CHANNELS, FILTERS

OUT = Path(__file__).resolve().parents[1] / 'tests' / 'reference'

# One thread and fixed algorithms: sums are always taken in the same order, so the files are the same bytes every time.
torch.set_num_threads(1)
torch.use_deterministic_algorithms(True)
torch.set_default_dtype(torch.float64)


# --- The Growing NCA in torch -----------------------------------------------------------------------------------------
# States are [b,h,w,c] everywhere. Torch convolves [b,c,h,w], so its functions are wrapped in two permutations.

BATCH, HEIGHT, WIDTH, HIDDEN, STEPS = 2, 9, 8, 20, 32


def to_nchw(x):
    return x.permute(0, 3, 1, 2)


def to_nhwc(x):
    return x.permute(0, 2, 3, 1)


def perceive(x, padding):
    """[b,h,w,c] -> [b,h,w,3c]: each channel through the 3 filters, interleaved c0·id, c0·dx, c0·dy, c1·id, …"""
    kernel = nca_torch.filters(CHANNELS, dtype=x.dtype)
    return to_nhwc(F.conv2d(nca_torch.around(to_nchw(x), padding), kernel, groups=CHANNELS))


def pooled_alpha(x, padding):
    """3x3 maximum of alpha, [b,h,w]. Cells outside a zero-padded grid are ignored; a circular grid has none."""
    x = to_nchw(x)
    if padding == 'circular':
        return nca_torch.pooled_alpha(nca_torch.around(x, padding))[:, 0, 1:-1, 1:-1]
    return nca_torch.pooled_alpha(x)[:, 0]


def step(params, x, fire, padding='constant', trace=None):
    """nca.step; `fire` is [b,h,w] of 0/1, shared by all channels. Appends what was decided, and how narrowly, to trace."""
    w1, b1, w2, b2 = params
    pools, before_relu = [], perceive(x, padding) @ w1 + b1

    def living(state):
        pools.append(pooled_alpha(state, padding))
        return (pools[-1] > ALIVE_ABOVE)[..., None]

    grown = nca.step(x, fire[..., None], lambda _: F.relu(before_relu) @ w2 + b2, living)
    if trace is not None:
        before, after = (pool > ALIVE_ABOVE for pool in pools)
        alive = before & after
        # A ReLU only matters where its cell fires and lives.
        relus = before_relu.detach()[alive & (fire > 0)]
        trace.append({
            'alive': alive,
            # What would be wrong with only the mask after, or only the mask before, the update.
            'only_before': (~before & after).any(),
            'only_after': (before & ~after).any(),
            'relu_pattern': relus > 0,
            'alpha_margin': min((p.detach() - ALIVE_ABOVE).abs().min().item() for p in pools),
            'relu_margin': relus.abs().min().item() if relus.numel() else math.inf,
        })
    return grown


def rollout(params, x, fires, padding='constant', trace=None):
    for fire in fires:
        x = step(params, x, fire, padding, trace)
    return x


def loss_per_sample(x, target):
    """[b]: squared error of RGBA, mean over cells and the four channels."""
    return ((x[..., :4] - target) ** 2).mean(dim=(1, 2, 3))


def value_and_grads(case, steps, padding='constant', dtype=torch.float64):
    """Rolls out, and differentiates the mean loss by w1, b1, w2, b2 and x0."""
    leaves = [torch.tensor(case[name], dtype=dtype, requires_grad=True) for name in ('w1', 'b1', 'w2', 'b2', 'x0')]
    fires = torch.tensor(case['masks'][:steps], dtype=dtype)
    trace = []
    state = rollout(leaves[:4], leaves[4], fires, padding, trace)
    loss = loss_per_sample(state, torch.tensor(case['target'], dtype=dtype))
    grads = torch.autograd.grad(loss.mean(), leaves)
    result = {'state': state, 'loss': loss, 'meanLoss': loss.mean()}
    result.update({f'grad.{name}': g for name, g in zip(('w1', 'b1', 'w2', 'b2', 'x0'), grads)})
    return {name: value.detach().numpy() for name, value in result.items()}, trace


# --- The same once more in plain numpy, to check torch (and the wiring above) against --------------------------------

NUMPY_PADDING = {'constant': 'constant', 'circular': 'wrap', 'reflect': 'reflect'}


def numpy_mean_loss(case, steps, padding='constant'):
    x, (b, h, w, c) = case['x0'], case['x0'].shape
    border = [(0, 0), (1, 1), (1, 1), (0, 0)]

    def shifted(padded):
        return {(dy, dx): padded[:, dy:dy + h, dx:dx + w] for dy in range(3) for dx in range(3)}

    def living(state):
        alpha = state[..., ALPHA:ALPHA + 1]
        outside = {'constant_values': -np.inf} if padding == 'constant' else {}
        padded = np.pad(alpha, border, mode=NUMPY_PADDING[padding], **outside)
        return np.max(list(shifted(padded).values()), axis=0) > ALIVE_ABOVE

    def change(state):
        neighbours = shifted(np.pad(state, border, mode=NUMPY_PADDING[padding]))
        seen = [sum(f[dy][dx] * n for (dy, dx), n in neighbours.items()) for f in FILTERS]
        perception = np.stack(seen, axis=-1).reshape(b, h, w, 3 * c)
        return np.maximum(perception @ case['w1'] + case['b1'], 0) @ case['w2'] + case['b2']

    for mask in case['masks'][:steps]:
        x = nca.step(x, mask[..., None], change, living)
    return ((x[..., :4] - case['target']) ** 2).mean(axis=(1, 2, 3)).mean()


def check_against_numpy(case, result, steps, padding='constant', eps=1e-6):
    """The loss agrees, and central differences of the numpy loss agree with torch's gradients."""
    assert abs(numpy_mean_loss(case, steps, padding) - result['meanLoss']) < 1e-12
    rng = np.random.RandomState(1)
    worst = 0.0
    for name in ('w1', 'b1', 'w2', 'b2', 'x0'):
        gradient = result[f'grad.{name}']
        # The largest entry and a few arbitrary ones that are not zero.
        entries = [np.argmax(np.abs(gradient))] + list(rng.choice(np.flatnonzero(gradient), 5))
        for entry in entries:
            sides = []
            for sign in (1, -1):
                moved = dict(case, **{name: case[name].copy()})
                moved[name].flat[entry] += sign * eps
                sides.append(numpy_mean_loss(moved, steps, padding))
            difference = (sides[0] - sides[1]) / (2 * eps)
            error = abs(difference - gradient.flat[entry]) / np.abs(gradient).max()
            assert error < 1e-6, f'{name}[{entry}]: torch {gradient.flat[entry]}, central difference {difference}'
            worst = max(worst, error)
    return worst


# --- Choosing an instance --------------------------------------------------------------------------------------------

def float32_exact(x):
    """Rounds to float32 and back: a float32 test then starts from exactly the same numbers as a float64 one."""
    return np.asarray(x, dtype=np.float32).astype(np.float64)


def random_case(seed):
    """RandomState, not default_rng: numpy guarantees its stream for ever."""
    rng = np.random.RandomState(seed)
    rows, cols = np.mgrid[0:HEIGHT, 0:WIDTH]

    w1 = rng.normal(size=(3 * CHANNELS, HIDDEN)) * 0.25
    # Feeding -W'relu(W x) back pulls the state to zero, whatever W is; noise on top makes it a rule like any other.
    w2 = -0.25 * w1[0::3].T + rng.normal(size=(HIDDEN, CHANNELS)) * 0.08
    b1 = rng.normal(size=HIDDEN) * 0.1
    b2 = rng.normal(size=CHANNELS) * 0.05

    x0 = np.zeros((BATCH, HEIGHT, WIDTH, CHANNELS))
    x0[0, HEIGHT // 2, WIDTH // 2, ALPHA:] = 1
    # The blob touches two borders, so that zero and circular padding differ from the first step on. It has holes and
    # thin spots, so that some of its cells die at once.
    blob = ((rows - 1.2) ** 2 + (cols - 5.8) ** 2 < 2.2 ** 2) & (rng.uniform(size=(HEIGHT, WIDTH)) < 0.7)
    x0[1] = blob[..., None] * rng.uniform(-0.6, 0.8, size=(HEIGHT, WIDTH, CHANNELS))
    x0[1, ..., ALPHA] = blob * rng.uniform(0, 1, size=(HEIGHT, WIDTH))

    # A soft disk of random colours, premultiplied as the paper does.
    alpha = np.clip(3.4 - np.hypot(rows - 4, cols - 3.5), 0, 1)[..., None]
    target = np.concatenate([alpha * rng.uniform(size=(HEIGHT, WIDTH, 3)), alpha], axis=-1)

    case = {'w1': w1, 'b1': b1, 'w2': w2, 'b2': b2, 'x0': x0, 'target': target}
    case = {name: float32_exact(value) for name, value in case.items()}
    case['masks'] = (rng.uniform(size=(STEPS, BATCH, HEIGHT, WIDTH)) < 0.5).astype(np.int64)
    return case


def is_useful(case):
    """Does this instance grow, shrink, stay bounded, and decide nothing narrowly? See the comments."""
    params = [torch.tensor(case[name]) for name in ('w1', 'b1', 'w2', 'b2')]
    x0, fires = torch.tensor(case['x0']), torch.tensor(case['masks'], dtype=torch.float64)
    trace = []
    with torch.no_grad():
        rollout(params, x0, fires[:1], 'circular', trace)
        rollout(params, x0, fires[:1], 'constant', trace)
        # Already the first step needs both masks, whatever the padding.
        if not all(t['only_before'] and t['only_after'] for t in trace):
            return False
        state = rollout(params, x0, fires, 'constant', trace)
    # No mask and no ReLU may depend on rounding, not even in float32.
    if min(t['alpha_margin'] for t in trace) <= 1e-4 or min(t['relu_margin'] for t in trace) <= 1e-5:
        return False
    alive = torch.stack([t['alive'] for t in trace[-STEPS:]])  # [T,b,h,w]
    fraction = alive.double().mean(dim=(2, 3))
    births = (alive[1:] & ~alive[:-1]).sum(dim=(0, 2, 3))
    deaths = (~alive[1:] & alive[:-1]).sum(dim=(0, 2, 3))
    return bool(
        fraction.min() > 0.05 and fraction.max() < 0.9 and (fraction[-1] > 0.3).all()  # grows; never empty, never full
        and births.min() >= 20 and deaths.min() >= 5  # cells die as well as being born
        and 0.5 < state.abs().max() < 4  # bounded, but not faded away
    )


def growing_nca():
    seed = next(s for s in range(100_000) if is_useful(random_case(s)))
    case = random_case(seed)
    runs = {'step1': (1, 'constant'), 'step32': (STEPS, 'constant'), 'circular1': (1, 'circular')}
    arrays = dict(case)
    print(f'growing-nca: seed {seed}')
    for name, (steps, padding) in runs.items():
        result, trace = value_and_grads(case, steps, padding)
        arrays.update({f'{name}.{key}': value for key, value in result.items()})

        alpha_margin = min(t['alpha_margin'] for t in trace)
        relu_margin = min(t['relu_margin'] for t in trace)
        assert alpha_margin > 1e-4 and relu_margin > 1e-5
        error = check_against_numpy(case, result, steps, padding)

        # How far a correct float32 implementation may be off; every mask and ReLU must agree.
        single, single_trace = value_and_grads(case, steps, padding, torch.float32)
        assert all(torch.equal(t[k], s[k]) for t, s in zip(trace, single_trace) for k in ('alive', 'relu_pattern'))
        drift = {k: np.abs(single[k] - v).max() / np.abs(v).max() for k, v in result.items()}
        worst_gradient = max(v for k, v in drift.items() if k.startswith('grad'))

        print(f'  {name}: loss {result["loss"]}, max |x| {np.abs(result["state"]).max():.3f}')
        print(f'    margins: alpha {alpha_margin:.2e}, relu {relu_margin:.2e}; central differences {error:.1e}')
        print(f'    float32 off by (of the largest entry): state {drift["state"]:.1e}, gradients {worst_gradient:.1e}')
        print('    gradient norms:', {k[5:]: f'{np.linalg.norm(v):.2e}' for k, v in result.items() if 'grad' in k})
        if name == 'step32':
            arrays['living'] = torch.stack([t['alive'] for t in trace]).numpy().astype(np.int64)
    difference = np.abs(arrays['circular1.state'] - arrays['step1.state']).max(axis=-1) > 1e-3
    assert difference.sum(axis=(1, 2))[1] >= 5, 'circular padding makes no difference'
    print(f'  cells that circular padding changes, by sample: {difference.sum(axis=(1, 2))}')
    for b in range(BATCH):
        print(f'  alive, sample {b}:', *(f'{f:.2f}' for f in arrays['living'][:, b].mean(axis=(1, 2))))
    return arrays


# --- Single operators ------------------------------------------------------------------------------------------------

def same_padding(n, kernel, stride, dilation):
    """(before, after) such that the output has ceil(n / stride) entries; TensorFlow's rule, the odd one goes after."""
    total = max((math.ceil(n / stride) - 1) * stride + (kernel - 1) * dilation + 1 - n, 0)
    return total // 2, total - total // 2


def pad_same(x, kernel_shape, stride, dilation, mode):
    """[b,c,h,w], padded in `mode`: 'constant' (zero), 'circular' or 'reflect' (without repeating the edge)."""
    top, bottom = same_padding(x.shape[2], kernel_shape[0], stride, dilation)
    left, right = same_padding(x.shape[3], kernel_shape[1], stride, dilation)
    return F.pad(x, (left, right, top, bottom), mode=mode)


def conv2d(x, kernel, stride=1, dilation=1, mode='constant'):
    """x [b,h,w,in], kernel [kh,kw,in,out] -> [b,ceil(h/s),ceil(w/s),out]"""
    padded = pad_same(to_nchw(x), kernel.shape[:2], stride, dilation, mode)
    return to_nhwc(F.conv2d(padded, kernel.permute(3, 2, 0, 1), stride=stride, dilation=dilation))


def depthwise_conv2d(x, kernel, stride=1, dilation=1, mode='constant'):
    """x [b,h,w,c], kernel [kh,kw,c,m] -> [b,h',w',c·m], outputs interleaved per channel: c0·m0, c0·m1, c1·m0, …"""
    kh, kw, channels, multiplier = kernel.shape
    padded = pad_same(to_nchw(x), (kh, kw), stride, dilation, mode)
    grouped = kernel.permute(2, 3, 0, 1).reshape(channels * multiplier, 1, kh, kw)
    return to_nhwc(F.conv2d(padded, grouped, stride=stride, dilation=dilation, groups=channels))


def max_pool2d(x, size):
    """[b,h,w,c], stride 1, SAME with -inf outside. Torch gives the gradient to the first maximum in scan order."""
    return to_nhwc(F.max_pool2d(to_nchw(x), size, stride=1, padding=size // 2))


def numpy_conv2d(x, kernel, stride=1, dilation=1, mode='constant', depthwise=False):
    """The definition, one output cell at a time: y[b,i,j,o] = Σ x[b, i·s + p·d - before, …, c] k[p,q,c,o]"""
    (_, h, w, _), (kh, kw, _, _) = x.shape, kernel.shape
    borders = [(0, 0), same_padding(h, kh, stride, dilation), same_padding(w, kw, stride, dilation), (0, 0)]
    padded = np.pad(x, borders, mode=NUMPY_PADDING[mode])
    rows = []
    for i in range(math.ceil(h / stride)):
        row = []
        for j in range(math.ceil(w / stride)):
            top, left = i * stride, j * stride
            patch = padded[:, top:top + (kh - 1) * dilation + 1:dilation, left:left + (kw - 1) * dilation + 1:dilation]
            if depthwise:
                row.append(np.einsum('bpqc,pqcm->bcm', patch, kernel).reshape(len(x), -1))
            else:
                row.append(np.einsum('bpqc,pqco->bo', patch, kernel))
        rows.append(np.stack(row, axis=1))
    return np.stack(rows, axis=1)


def numpy_max_pool2d(x, size, u):
    """Value, and gradient given the cotangent u, by visiting every window in scan order."""
    y, grad = np.zeros_like(x), np.zeros_like(x)
    half = size // 2
    for b, i, j, c in np.ndindex(*x.shape):
        top, left = max(i - half, 0), max(j - half, 0)
        window = x[b, top:i + half + 1, left:j + half + 1, c]
        p, q = np.unravel_index(np.argmax(window), window.shape)  # argmax takes the first of several
        y[b, i, j, c] = window[p, q]
        grad[b, top + p, left + q, c] += u[b, i, j, c]
    return y, grad


def operators():
    rng = np.random.RandomState(7)
    arrays = {}

    def draw(*shape):
        return float32_exact(rng.normal(size=shape))

    def record(name, f, inputs, constants=None, differences=True):
        """y = f(inputs), and the pullback of a random cotangent u to every input."""
        leaves = {key: torch.tensor(value, requires_grad=True) for key, value in inputs.items()}
        if differences:
            assert torch.autograd.gradcheck(f, tuple(leaves.values()))
        y = f(*leaves.values())
        u = draw(*y.shape)
        grads = torch.autograd.grad(y, list(leaves.values()), torch.tensor(u))
        case = {**inputs, **(constants or {}), 'u': u, 'y': y.detach().numpy()}
        case.update({f'grad.{key}': g.numpy() for key, g in zip(leaves, grads)})
        arrays.update({f'{name}.{key}': value for key, value in case.items()})
        return case

    # 7 x 6 cells: with stride 2, one axis pads evenly and the other only after.
    for size, stride, dilation, mode in [
        (3, 1, 1, 'constant'), (5, 1, 1, 'constant'), (3, 2, 1, 'constant'), (5, 2, 1, 'constant'),
        (3, 1, 2, 'constant'), (5, 1, 2, 'constant'), (3, 2, 2, 'constant'),
        (3, 1, 1, 'circular'), (5, 1, 1, 'circular'), (3, 1, 2, 'circular'), (3, 2, 1, 'circular'),
        (3, 1, 1, 'reflect'), (5, 1, 1, 'reflect'), (3, 1, 2, 'reflect'), (3, 2, 1, 'reflect'),
    ]:
        label = 'zero' if mode == 'constant' else mode
        attrs = {'stride': stride, 'dilation': dilation, 'mode': mode}
        case = record(f'conv2d-k{size}-s{stride}-d{dilation}-{label}', lambda x, k: conv2d(x, k, **attrs),
                      {'x': draw(2, 7, 6, 2), 'kernel': draw(size, size, 2, 3)})
        assert np.allclose(case['y'], numpy_conv2d(case['x'], case['kernel'], **attrs), rtol=0, atol=1e-12)

    for size, multiplier, dilation, mode in [
        (3, 1, 1, 'constant'), (3, 2, 2, 'constant'), (5, 3, 1, 'constant'),
        (3, 2, 2, 'circular'), (3, 2, 2, 'reflect'),
    ]:
        label = 'zero' if mode == 'constant' else mode
        attrs = {'dilation': dilation, 'mode': mode}
        case = record(f'depthwise-k{size}-m{multiplier}-d{dilation}-{label}',
                      lambda x, k: depthwise_conv2d(x, k, **attrs),
                      {'x': draw(2, 7, 6, 3), 'kernel': draw(size, size, 3, multiplier)})
        again = numpy_conv2d(case['x'], case['kernel'], **attrs, depthwise=True)
        assert np.allclose(case['y'], again, rtol=0, atol=1e-12)

    # Mostly negative inputs, so that padding with zero instead of -inf would show. The case with ties has no derivative
    # in the usual sense; it pins the convention that the first maximum in scan order gets the gradient.
    for name, size, x in [
        ('maxPool2d-k3', 3, draw(2, 6, 5, 2) - 1.5),
        ('maxPool2d-k5', 5, draw(2, 6, 5, 2) - 1.5),
        ('maxPool2d-k3-ties', 3, rng.randint(-3, 0, size=(2, 6, 5, 2)).astype(np.float64)),
    ]:
        case = record(name, lambda x: max_pool2d(x, size), {'x': float32_exact(x)}, differences='ties' not in name)
        y, grad = numpy_max_pool2d(case['x'], size, case['u'])
        assert np.array_equal(case['y'], y) and np.allclose(case['grad.x'], grad, rtol=0, atol=1e-12)

    for axis in (1, 2):
        record(f'logsumexp-axis{axis}', lambda x: torch.logsumexp(x, axis), {'x': draw(2, 3, 4)})
        record(f'softmax-axis{axis}', lambda x: torch.softmax(x, axis), {'x': draw(2, 3, 4)})
        # 1000 overflows exp even in float64: only the shifted form survives.
        large = float32_exact(draw(2, 3, 4) + 1000)
        record(f'logsumexp-large-axis{axis}', lambda x: torch.logsumexp(x, axis), {'x': large})
        record(f'softmax-large-axis{axis}', lambda x: torch.softmax(x, axis), {'x': large})

        x = draw(2, 5, 4)
        order = np.argsort(-x, axis=axis, kind='stable')
        case = record(f'sort-descending-axis{axis}', lambda x: torch.sort(x, dim=axis, descending=True).values,
                      {'x': x}, {'order': order})
        assert np.array_equal(case['y'], np.take_along_axis(x, order, axis))

        # One index per output entry (numpy's take_along_axis); indices repeat, so gradients must add up.
        shape = [2, 5, 4]
        shape[axis] = 7
        index = rng.randint(0, (2, 5, 4)[axis], size=shape)
        record(f'gather-axis{axis}', lambda x: torch.gather(x, axis, torch.tensor(index)),
               {'x': draw(2, 5, 4)}, {'index': index})

        # One index per slice (numpy's take).
        slices = np.array([3, 0, 3, 1, 2, 3])
        record(f'take-axis{axis}', lambda x: torch.index_select(x, axis, torch.tensor(slices)),
               {'x': draw(2, 5, 4)}, {'index': slices})
    return arrays


# --- Optimisers ------------------------------------------------------------------------------------------------------

def muon_steps(param, gradients, lr, momentum, decay):
    """
    The parameters after each step of Muon, by singular values: an odd polynomial of a matrix is that polynomial of its singular
    values. (torch.optim.Muon, from PyTorch 2.9 on, multiplies matrices in bfloat16 instead; with nesterov=True and
    adjust_lr_fn='match_rms_adamw' it does the same otherwise.)
    """
    after, mean = [], np.zeros_like(param)
    for gradient in gradients:
        mean = momentum * mean + (1 - momentum) * gradient
        u, s, vt = np.linalg.svd(momentum * mean + (1 - momentum) * gradient, full_matrices=False)
        s = s / (np.sqrt((s ** 2).sum()) + 1e-7)
        for _ in range(5):
            s = 3.4445 * s - 4.775 * s ** 3 + 2.0315 * s ** 5
        param = param * (1 - lr * decay) - lr * 0.2 * np.sqrt(max(param.shape)) * (u * s) @ vt
        after.append(param)
    return np.stack(after)


def optimisers():
    rng = np.random.RandomState(11)

    def draw(*shape):
        return float32_exact(rng.normal(size=shape))

    initial = draw(3, 2)
    gradients = draw(5, 3, 2)
    gradients[:, 0, 0] *= 2.0 ** -23  # about 1e-7: here epsilon counts
    gradients[2, 1, 1] = 0
    arrays = {'initial': initial, 'gradients': gradients}

    for name, make in {
        'sgd': lambda p: torch.optim.SGD(p, lr=0.05),
        'sgd-momentum': lambda p: torch.optim.SGD(p, lr=0.05, momentum=0.9, nesterov=False, weight_decay=0),
        'adam': lambda p: torch.optim.Adam(p, lr=2e-3, betas=(0.9, 0.999), eps=1e-7),
        'adamw': lambda p: torch.optim.AdamW(p, lr=2e-3, betas=(0.9, 0.999), eps=1e-7, weight_decay=0.01),
    }.items():
        param = torch.nn.Parameter(torch.tensor(initial))
        optimiser = make([param])
        after = []
        for gradient in gradients:
            param.grad = torch.tensor(gradient)
            optimiser.step()
            after.append(param.detach().numpy().copy())
        arrays[f'{name}.params'] = np.stack(after)  # [step,3,2]

    muon = {'lr': 0.01, 'momentum': 0.95, 'decay': 0.01}
    arrays['muon.params'] = muon_steps(initial, gradients, **muon)  # [step,3,2]
    arrays['muon-wide.params'] = muon_steps(initial.T, gradients.transpose(0, 2, 1), **muon)  # [step,2,3]

    # Two tensors clipped by their joint norm, once above and once below the limit of 1.
    for name, scale in {'clip': 2.0, 'clip-untouched': 2.0 ** -4}.items():
        grads = {'a': scale * draw(3, 2), 'b': scale * draw(4)}
        params = {key: torch.nn.Parameter(torch.zeros(g.shape)) for key, g in grads.items()}
        for key, param in params.items():
            param.grad = torch.tensor(grads[key])
        norm = torch.nn.utils.clip_grad_norm_(list(params.values()), max_norm=1.0).numpy()
        assert (norm > 1) == (name == 'clip')
        arrays[f'{name}.norm'] = norm
        for key, param in params.items():
            arrays[f'{name}.{key}'] = grads[key]
            arrays[f'{name}.clipped.{key}'] = param.grad.numpy()
    return arrays


# --- Files -----------------------------------------------------------------------------------------------------------

def encode(array):
    """Integers (masks, indices) as uint32, everything else as float64; little-endian, row-major."""
    if array.dtype.kind in 'iu':
        assert array.min() >= 0
        dtype, raw = 'uint32', '<u4'
    else:
        assert array.dtype == np.float64 and np.isfinite(array).all()
        dtype, raw = 'float64', '<f8'
    data = np.ascontiguousarray(array, dtype=raw).tobytes()
    return {'dtype': dtype, 'shape': list(array.shape), 'base64': base64.b64encode(data).decode('ascii')}


def write(name, description, arrays):
    # One array a line: small, and a change shows which array it touched.
    entries = {key: json.dumps(encode(np.asarray(value))) for key, value in arrays.items()}
    lines = ',\n'.join(f'    {json.dumps(key)}: {entry}' for key, entry in entries.items())
    path = OUT / f'{name}.json'
    path.write_text(f'''{{
  "description": {json.dumps(description)},
  "torchVersion": {json.dumps(str(torch.__version__))},
  "arrays": {{
{lines}
  }}
}}
''')
    print(f'wrote {path.name}: {len(arrays)} arrays, {path.stat().st_size / 1000:.0f} kB')


def main():
    computed = [
        ('growing-nca', 'Growing NCA, NHWC, float64: states, losses and gradients', growing_nca()),
        ('operators', 'Single operators, NHWC, float64: inputs, cotangent u, output y, gradients', operators()),
        ('optimisers', 'Optimiser steps and gradient clipping, float64', optimisers()),
    ]
    OUT.mkdir(parents=True, exist_ok=True)
    for entry in computed:
        write(*entry)


if __name__ == '__main__':
    main()
