"""A training step of rules of other kinds in PyTorch, as bench/measurements/rules.ts has them: a rollout from a random state
in which every cell lives (of digits: has ink in every fifth cell), the mean of its squares, and the gradient by all weights.

A kind is made of (batch, size, steps, compiled); compiled: torch.compile makes one program of a step."""

import torch
import torch.nn.functional as F

from nca import FILTERS, FIRE_RATE

CHANNELS = 16


def weights(*shapes):
    return [torch.nn.Parameter(torch.randn(shape) * (shape[-1] ** -0.5 if len(shape) > 1 else 0.1)) for shape in shapes]


def state(batch, channels, size):
    memory_format = torch.channels_last_3d if len(size) == 3 else torch.channels_last
    return torch.randn(batch, channels, *size).contiguous(memory_format=memory_format)


def train(change, x, params, steps, compiled):
    """What is timed: all steps and the way back."""
    def step(s, params):
        fire = (torch.rand(s.shape[0], 1, *s.shape[2:]) < FIRE_RATE).float()
        return s + fire * change(s, params)

    step = torch.compile(step) if compiled else step

    def run():
        s = x
        for _ in range(steps):
            s = step(s, params)
        torch.autograd.grad(s.square().mean(), params)
    return run


def dense(y, w, b):
    """A 1x1 convolution; w is [out,in]."""
    return (F.conv3d if y.dim() == 5 else F.conv2d)(y, w[(...,) + (None,) * (y.dim() - 2)], b)


def filtered(x, kernels, padding):
    """Each of the filters [n,1,3,3] of every channel."""
    return F.conv2d(F.pad(x, (1, 1, 1, 1), mode=padding), kernels.repeat(x.shape[1], 1, 1, 1), groups=x.shape[1])


def growing(batch, size, steps, compiled):
    """Identity and Sobel filters on zeros, 128, ReLU, 16."""
    kernels = torch.tensor(FILTERS)[:, None]

    def change(x, p):
        return dense(F.relu(dense(filtered(x, kernels, 'constant'), p[0], p[1])), p[2], p[3])
    return train(change, state(batch, CHANNELS, size), weights((128, 3 * CHANNELS), (128,), (CHANNELS, 128), (CHANNELS,)), steps, compiled)


def texture(batch, size, steps, compiled, channels=12, hidden=96):
    """Identity, Sobel filters and Laplacian on a torus, 96, ReLU, 12 without bias."""
    laplacian = torch.tensor([[[1., 2., 1.], [2., -12., 2.], [1., 2., 1.]]])
    kernels = torch.cat([torch.tensor(FILTERS), laplacian])[:, None]

    def change(x, p):
        return dense(F.relu(dense(filtered(x, kernels, 'circular'), p[0], p[1])), p[2], None)
    return train(change, state(batch, channels, size), weights((hidden, 4 * channels), (hidden,), (channels, hidden)), steps, compiled)


def digits(batch, size, steps, compiled, channels=20, hidden=80):
    """conv2d 20 → 80, ReLU, 80, ReLU, 19, and noise, where there is ink; the ink stays."""
    def change(x, p):
        y = F.relu(F.conv2d(x, p[0].view(hidden, channels, 3, 3), p[1], padding=1))
        y = dense(F.relu(dense(y, p[2], p[3])), p[4], p[5])
        y = (x[:, :1] > 0.1) * (y + 0.02 * torch.randn_like(y))
        return F.pad(y, (0, 0, 0, 0, 1, 0))
    x = state(batch, channels, size)
    x[:, 0] = (torch.rand(batch, *size) < 0.2).float()
    return train(change, x, weights(
        (hidden, 9 * channels), (hidden,), (hidden, hidden), (hidden,), (channels - 1, hidden), (channels - 1,)), steps, compiled)


def convolution(batch, size, steps, compiled, hidden=80):
    """conv2d 16 → 80 on a torus, 80, 80, leaky ReLUs, 16."""
    def change(x, p):
        y = F.leaky_relu(F.conv2d(F.pad(x, (1, 1, 1, 1), mode='circular'), p[0].view(hidden, CHANNELS, 3, 3), p[1]), 0.2)
        y = F.leaky_relu(dense(y, p[2], p[3]), 0.2)
        return dense(F.leaky_relu(dense(y, p[4], p[5]), 0.2), p[6], p[7])
    return train(change, state(batch, CHANNELS, size), weights(
        (hidden, 9 * CHANNELS), (hidden,), (hidden, hidden), (hidden,), (hidden, hidden), (hidden,), (CHANNELS, hidden), (CHANNELS,)),
        steps, compiled)


def volume(batch, size, steps, compiled):
    """conv3d 16 → 32, leaky ReLU, 32, ReLU, 16, on zeros."""
    def change(x, p):
        y = F.leaky_relu(F.conv3d(x, p[0].view(32, CHANNELS, 3, 3, 3), p[1], padding=1), 0.2)
        return dense(F.relu(dense(y, p[2], p[3])), p[4], p[5])
    return train(change, state(batch, CHANNELS, size), weights(
        (32, CHANNELS * 27), (32,), (32, 32), (32,), (CHANNELS, 32), (CHANNELS,)), steps, compiled)


def attention(batch, size, steps, compiled, heads=4, keys=16, outputs=64, hidden=80):
    """Layer norm, four heads of 16 over 3×3 cells of a torus, 64, then leaky ReLUs 80 and 16."""
    width = heads * keys

    def around(t):
        """[b,width,h,w] → [b,heads,keys,9,h,w]"""
        b, _, h, w = t.shape
        return F.unfold(F.pad(t, (1, 1, 1, 1), mode='circular'), 3).view(b, heads, keys, 9, h, w)

    def change(x, p):
        scale, shift, query, key, value, place, out, out_bias, w1, b1, w2, b2 = p
        z = F.layer_norm(x.movedim(1, -1), (CHANNELS,), scale, shift).movedim(-1, 1)
        q = dense(z, query, None).view(x.shape[0], heads, keys, 1, *x.shape[2:])
        scores = (q * around(dense(z, key, None))).sum(2) * keys ** -0.5 + place.view(1, heads, 9, 1, 1)
        seen = (scores.softmax(2)[:, :, None] * around(dense(z, value, None))).sum(3).reshape(x.shape[0], width, *x.shape[2:])
        return dense(F.leaky_relu(dense(dense(seen, out, out_bias), w1, b1), 0.2), w2, b2)

    return train(change, state(batch, CHANNELS, size), weights(
        (CHANNELS,), (CHANNELS,), (width, CHANNELS), (width, CHANNELS), (width, CHANNELS), (heads, 9), (outputs, width),
        (outputs,), (hidden, outputs), (hidden,), (CHANNELS, hidden), (CHANNELS,)), steps, compiled)


KINDS = {
    'growing': growing, 'digits': digits, 'texture': texture, 'convolution': convolution, 'attention': attention, 'volume': volume,
}
