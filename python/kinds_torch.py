"""A training step of rules of other kinds in PyTorch, as bench/measurements/rules.ts has them: a rollout from a random state
in which every cell lives, the mean of its squares, and the gradient by all weights."""

import torch
import torch.nn.functional as F

from nca import FIRE_RATE

CHANNELS = 16


def weights(*shapes):
    return [torch.nn.Parameter(torch.randn(shape) * (shape[-1] ** -0.5 if len(shape) > 1 else 0.1)) for shape in shapes]


def train(step, x, params, steps):
    """What is timed: all steps and the way back."""
    def run():
        s = x
        for _ in range(steps):
            fire = (torch.rand(x.shape[0], 1, *x.shape[2:]) < FIRE_RATE).float()
            s = s + fire * step(s, params)
        torch.autograd.grad(s.square().mean(), params)
    return run


def dense(y, w, b):
    """A 1x1 convolution; w is [out,in]."""
    return (F.conv3d if y.dim() == 5 else F.conv2d)(y, w[(...,) + (None,) * (y.dim() - 2)], b)


def volume(batch, size, steps):
    """conv3d 16 → 32, leaky ReLU, 32, ReLU, 16, on zeros."""
    def step(x, p):
        y = F.leaky_relu(F.conv3d(x, p[0].view(32, CHANNELS, 3, 3, 3), p[1], padding=1), 0.2)
        return dense(F.relu(dense(y, p[2], p[3])), p[4], p[5])
    x = torch.randn(batch, CHANNELS, *size).contiguous(memory_format=torch.channels_last_3d)
    return train(step, x, weights((32, CHANNELS * 27), (32,), (32, 32), (32,), (CHANNELS, 32), (CHANNELS,)), steps)


def attention(batch, size, steps, heads=4, keys=16, outputs=64, hidden=80):
    """Layer norm, four heads of 16 over 3×3 cells of a torus, 64, then leaky ReLUs 80 and 16."""
    width = heads * keys

    def around(t):
        """[b,width,h,w] → [b,heads,keys,9,h,w]"""
        b, _, h, w = t.shape
        return F.unfold(F.pad(t, (1, 1, 1, 1), mode='circular'), 3).view(b, heads, keys, 9, h, w)

    def step(x, p):
        scale, shift, query, key, value, place, out, out_bias, w1, b1, w2, b2 = p
        z = F.layer_norm(x.movedim(1, -1), (CHANNELS,), scale, shift).movedim(-1, 1)
        q = dense(z, query, None).view(x.shape[0], heads, keys, 1, *x.shape[2:])
        scores = (q * around(dense(z, key, None))).sum(2) * keys ** -0.5 + place.view(1, heads, 9, 1, 1)
        seen = (scores.softmax(2)[:, :, None] * around(dense(z, value, None))).sum(3).reshape(x.shape[0], width, *x.shape[2:])
        return dense(F.leaky_relu(dense(dense(seen, out, out_bias), w1, b1), 0.2), w2, b2)

    x = torch.randn(batch, CHANNELS, *size).contiguous(memory_format=torch.channels_last)
    return train(step, x, weights(
        (CHANNELS,), (CHANNELS,), (width, CHANNELS), (width, CHANNELS), (width, CHANNELS), (heads, 9), (outputs, width),
        (outputs,), (hidden, outputs), (hidden,), (CHANNELS, hidden), (CHANNELS,)), steps)


KINDS = {'volume': volume, 'attention': attention}
