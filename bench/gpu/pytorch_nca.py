"""PyTorch on a GPU: the work of `npm run bench -- --webgpu`, for comparison.

    python3 pytorch_nca.py                    everything on CUDA, one JSON line for each measurement
    python3 pytorch_nca.py --works table6     works whose names contain this
    python3 pytorch_nca.py --device cpu --quick    tiny sizes, to see that it runs

Works: Growing NCA (72x72, batch 8, 64 steps: training step, rollout), table 6 of Spitznagel & Keuper 2026 (convolution
16 -> 80, leaky ReLU, 80, leaky ReLU, 16, on a torus of 64x64, 32 steps: training step of batch 16, inference of batch
64), table 2 (pixel space: 256x256, 512x512, 1024x1024, half the side as steps). A training step is the rollout, MSE of
RGBA, its gradient, gradients divided by their norms, Adam. Every cell is computed, whether it lives or not, as frameworks
of dense arrays do.

Variants: eager in both memory layouts; captured as one CUDA graph, which removes the cost of launching small kernels;
torch.compile of a step; both. Each with and without TF32 (products with 10 bits of mantissa). For table 2 also with
torch.utils.checkpoint over segments of sqrt(steps) steps. Times are medians of GPU events after warming up.
"""
import argparse
import itertools
import json
import math
import statistics
import sys
import time

import torch
import torch.nn.functional as F
from torch.utils.checkpoint import checkpoint

parser = argparse.ArgumentParser()
parser.add_argument('--device', default='cuda')
parser.add_argument('--works', default='')
parser.add_argument('--quick', action='store_true')
parser.add_argument('--seconds', type=float, default=3, help='for the timed runs of a measurement')
options = parser.parse_args()
device = torch.device(options.device)
cuda = device.type == 'cuda'

channels = 16


class Work:
    def __init__(self, name, network, batch, side, steps, train):
        if options.quick:
            batch, side, steps = min(batch, 2), min(side, 16), 4
        self.name, self.network, self.batch, self.side, self.steps, self.train = name, network, batch, side, steps, train


works = [
    Work('growing, training step', 'growing', 8, 72, 64, True),
    Work('growing, rollout', 'growing', 8, 72, 64, False),
    Work('table6, training step', 'conv', 16, 64, 32, True),
    Work('table6, inference', 'conv', 64, 64, 32, False),
    *(Work(f'table2, {side}', 'growing', 1, side, side // 2, True) for side in (256, 512, 1024)),
]


def living(x):
    return F.max_pool2d(x[:, 3:4], 3, 1, 1) > 0.1


def growing_step(x, filters, w1, b1, w2, b2):
    fires = (torch.rand(x.shape[0], 1, x.shape[2], x.shape[3], device=x.device) < 0.5).float()
    before = living(x)
    y = F.conv2d(x, filters, padding=1, groups=channels)
    x = x + F.conv2d(F.relu(F.conv2d(y, w1, b1)), w2, b2) * fires
    return x * (before & living(x)).float()


def conv_step(x, kernel, bias, w1, b1, w2, b2):
    fires = (torch.rand(x.shape[0], 1, x.shape[2], x.shape[3], device=x.device) < 0.5).float()
    before = living(x)
    y = F.leaky_relu(F.conv2d(F.pad(x, (1, 1, 1, 1), mode='circular'), kernel, bias), 0.2)
    x = x + F.conv2d(F.leaky_relu(F.conv2d(y, w1, b1), 0.2), w2, b2) * fires
    return x * (before & living(x)).float()


class Case:
    """Start states, weights and functions of a work."""

    def __init__(self, work, layout, compiled, segments):
        torch.manual_seed(1)
        self.work, self.segments = work, segments
        memory_format = torch.channels_last if layout == 'channels-last' else torch.contiguous_format
        at = torch.arange(work.side, device=device) - work.side / 2
        disc = (at[:, None] ** 2 + at ** 2 < (work.side / 4) ** 2).float()
        full = work.network == 'conv'
        x = torch.rand(work.batch, channels, work.side, work.side, device=device) * (1 if full else disc)
        x[:, 3] = 1 if full else disc
        self.x = x.contiguous(memory_format=memory_format)
        self.target = torch.rand(4, work.side, work.side, device=device)
        perceived, hidden = (80, 80) if full else (48, 128)
        weights = lambda outputs, inputs, size=1: (
            (2 * torch.rand(outputs, inputs, size, size, device=device) - 1) / math.sqrt(inputs * size * size))
        last = 0.01 * torch.randn(channels, hidden, 1, 1, device=device)
        if full:
            last[3] = 0  # so that every cell stays alive
        update = [weights(hidden, perceived), torch.zeros(hidden, device=device), last,
                  torch.zeros(channels, device=device)]
        if full:
            self.learned = [weights(perceived, channels, 3), torch.zeros(perceived, device=device), *update]
        else:
            sobel = torch.tensor([[-1.0, 0, 1], [-2, 0, 2], [-1, 0, 1]], device=device) / 8
            identity = torch.zeros(3, 3, device=device)
            identity[1, 1] = 1
            self.filters = torch.stack([identity, sobel, sobel.t()]).repeat(channels, 1, 1)[:, None].contiguous()
            self.learned = update
        self.learned = [torch.nn.Parameter(w) for w in self.learned]
        self.step = conv_step if full else growing_step
        if compiled:
            torch._dynamo.reset()  # or it would compile for sizes that it has not seen yet
            self.step = torch.compile(self.step, dynamic=False)
        self.optimiser = torch.optim.Adam(self.learned, lr=2e-3, **({'capturable': True} if cuda else {}))

    def weights(self):
        return self.learned if self.work.network == 'conv' else [self.filters, *self.learned]

    def rollout(self, x):
        weights = self.weights()

        def several(x, n):
            for _ in range(n):
                x = self.step(x, *weights)
            return x

        if not self.segments:
            return several(x, self.work.steps)
        length = math.isqrt(self.work.steps)
        for start in range(0, self.work.steps, length):
            x = checkpoint(several, x, min(length, self.work.steps - start), use_reentrant=False)
        return x

    def run(self):
        if not self.work.train:
            with torch.no_grad():
                self.rollout(self.x)
            return
        self.optimiser.zero_grad(set_to_none=True)
        ((self.rollout(self.x)[:, :4] - self.target) ** 2).mean().backward()
        for p in self.learned:
            p.grad.div_(p.grad.norm() + 1e-8)
        self.optimiser.step()


def captured(run):
    """The whole of `run` as one CUDA graph."""
    stream = torch.cuda.Stream()
    stream.wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(stream):
        for _ in range(3):
            run()
    torch.cuda.current_stream().wait_stream(stream)
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        run()
    return graph.replay


def once(run):
    """Milliseconds."""
    if cuda:
        begin, end = torch.cuda.Event(enable_timing=True), torch.cuda.Event(enable_timing=True)
        begin.record()
        run()
        end.record()
        torch.cuda.synchronize()
        return begin.elapsed_time(end)
    started = time.perf_counter()
    run()
    return (time.perf_counter() - started) * 1e3


def measure(work, layout, compiled, graph, segments):
    if cuda:
        torch.cuda.empty_cache()
        torch.cuda.reset_peak_memory_stats()
    run = Case(work, layout, compiled, segments).run
    for _ in range(2):
        once(run)
    if graph:
        run = captured(run)
    warm = [once(run) for _ in range(3)]
    times = [once(run) for _ in range(max(3, min(50, int(1e3 * options.seconds / warm[-1]))))]
    return {
        'ms': statistics.median(times), 'min': min(times), 'max': max(times), 'runs': len(times),
        'peakMB': torch.cuda.max_memory_allocated() / 2 ** 20 if cuda else None,
    }


def say(**line):
    print(json.dumps(line), flush=True)


say(engine='PyTorch', version=torch.__version__, device=torch.cuda.get_device_name() if cuda else 'cpu',
    python=sys.version.split()[0])
forms = [('channels-first', False, False), ('channels-last', False, False), ('channels-last', False, True),
         ('channels-last', True, False), ('channels-last', True, True)]
for work, (layout, compiled, graph), tf32 in itertools.product(works, forms, (False, True)):
    if options.works not in work.name or (tf32 or graph) and not cuda:
        continue
    # Recomputation draws its random numbers again, which cannot be captured.
    for segments in (False, True) if work.name.startswith('table2') and not graph else (False,):
        torch.backends.cuda.matmul.allow_tf32 = tf32
        torch.backends.cudnn.allow_tf32 = tf32
        torch.backends.cudnn.benchmark = True
        what = {'work': work.name, 'layout': layout, 'compiled': compiled, 'graph': graph, 'tf32': tf32,
                'checkpoint': segments}
        try:
            if compiled and not hasattr(torch, 'compile'):
                raise RuntimeError(f'PyTorch {torch.__version__} has no torch.compile')
            result = measure(work, layout, compiled, graph, segments)
        except Exception as error:  # out of memory, mostly
            result = {'error': (str(error).strip().splitlines() or [type(error).__name__])[0]}
        say(**what, **result)
