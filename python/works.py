"""What gpu_pytorch.py and gpu_jax.py measure, and how.

Growing NCA (72x72, batch 8, 64 steps: training step, rollout), table 6 of Spitznagel & Keuper 2026 (convolution 16 -> 80,
leaky ReLU, 80, leaky ReLU, 16, on a torus of 64x64, 32 steps: training step of batch 16, inference of batch 64), table 2
(pixel space: 256x256, 512x512, 1024x1024, half the side as steps). A training step is the rollout, MSE of RGBA, its
gradient, gradients divided by their norms, Adam. Every cell is computed, whether it lives or not, as frameworks of dense
arrays do.
"""

import argparse
import statistics
from collections import namedtuple

from nca import CHANNELS, FILTERS, HIDDEN

Work = namedtuple('Work', 'network batch side steps train')

WORKS = {
    'growing, training step': Work('growing', 8, 72, 64, True),
    'growing, rollout': Work('growing', 8, 72, 64, False),
    'table6, training step': Work('conv', 16, 64, 32, True),
    'table6, inference': Work('conv', 64, 64, 32, False),
    **{f'table2, {side}': Work('growing', 1, side, side // 2, True) for side in (256, 512, 1024)},
}

# How many numbers a cell perceives, and how many hidden ones there are. 'conv' has leaky ReLUs of this slope.
SIZES = {'growing': (CHANNELS * len(FILTERS), HIDDEN), 'conv': (80, 80)}
SLOPE = 0.2


def arguments():
    """The options of both scripts, for more to be added."""
    parser = argparse.ArgumentParser()
    parser.add_argument('--works', default='', help='those whose names contain this')
    parser.add_argument('--quick', action='store_true', help='tiny sizes, to see that it runs')
    parser.add_argument('--seconds', type=float, default=3, help='for the timed runs of a measurement')
    return parser


def chosen(options):
    """The works by their names, as the options have them."""
    return {
        name: work._replace(batch=min(work.batch, 2), side=min(work.side, 16), steps=4) if options.quick else work
        for name, work in WORKS.items() if options.works in name
    }


def measured(once, seconds):
    """The times of what `once` runs and returns the milliseconds of, after warming up."""
    warm = [once() for _ in range(3)]
    times = [once() for _ in range(max(3, min(50, int(1e3 * seconds / warm[-1]))))]
    return {'ms': statistics.median(times), 'min': min(times), 'max': max(times), 'runs': len(times)}
