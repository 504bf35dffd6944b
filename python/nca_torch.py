"""The parts of nca.py that PyTorch's models share. States are [b,c,h,w] here, weights [out,in,1,1], as its functions want."""

import torch
import torch.nn.functional as F

from nca import ALIVE_ABOVE, ALPHA, FILTERS, FIRE_RATE, TINY, step


def filters(channels, **options):
    """[3c,1,3,3] for a grouped convolution, which keeps the outputs of one channel together: the interleaving of nca.py."""
    return torch.tensor(FILTERS, **options).repeat(channels, 1, 1)[:, None].contiguous()


def around(x, padding):
    """The state with a border of one cell: 'constant' (zero), 'circular' or 'reflect'."""
    return F.pad(x, (1, 1, 1, 1), mode=padding)


def perceive(x, kernel):
    return F.conv2d(x, kernel, padding=1, groups=x.shape[1])


def pooled_alpha(x):
    """3x3 maximum of alpha, [b,1,h,w]. Torch pads with -inf, so cells outside the grid are ignored."""
    return F.max_pool2d(x[:, ALPHA:ALPHA + 1], 3, stride=1, padding=1)


def living(x):
    return pooled_alpha(x) > ALIVE_ABOVE


def fires(x):
    """[b,1,h,w]: which cells fire, shared by all channels."""
    return (torch.rand(x.shape[0], 1, *x.shape[2:], device=x.device) < FIRE_RATE).float()


def network(y, w1, b1, w2, b2, activate=F.relu):
    return F.conv2d(activate(F.conv2d(y, w1, b1)), w2, b2)


def growing_step(x, fire, kernel, *weights):
    """A step of Growing NCA: Sobel filters (`kernel`) perceive, and two layers update."""
    return step(x, fire, lambda x: network(perceive(x, kernel), *weights), living)


def loss(x, target):
    """Squared error of RGBA, mean over the batch, the cells and the four channels; target is [4,h,w]."""
    return ((x[:, :4] - target) ** 2).mean()


def learn(optimiser, parameters):
    """A step of the optimiser, after each gradient was divided by its norm."""
    for p in parameters:
        p.grad.div_(p.grad.norm() + TINY)
    optimiser.step()
