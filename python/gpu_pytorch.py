"""PyTorch on a GPU: the work of `npm run bench -- --webgpu` (works.py), for comparison.

    python3 gpu_pytorch.py                    everything on CUDA, one JSON line for each measurement
    python3 gpu_pytorch.py --works table6     works whose names contain this
    python3 gpu_pytorch.py --device cpu --quick    tiny sizes, to see that it runs

Variants: eager in both memory layouts; captured as one CUDA graph, which removes the cost of launching small kernels;
torch.compile of a step; both. Each with and without TF32 (products with 10 bits of mantissa). For table 2 also with
torch.utils.checkpoint over segments of sqrt(steps) steps. Times are medians of GPU events after warming up.
"""

import itertools
import json
import math
import sys
import time

import torch
import torch.nn.functional as F
from torch.utils.checkpoint import checkpoint

import nca
import nca_torch
from nca import ALPHA, CHANNELS, RATE
from works import SIZES, SLOPE, arguments, chosen, measured

parser = arguments()
parser.add_argument('--device', default='cuda')
options = parser.parse_args()
device = torch.device(options.device)
cuda = device.type == 'cuda'


def growing_step(x, *weights):
    return nca_torch.growing_step(x, nca_torch.fires(x), *weights)


def leaky(y):
    return F.leaky_relu(y, SLOPE)


def conv_step(x, kernel, bias, *weights):
    def change(x):
        y = leaky(F.conv2d(nca_torch.around(x, 'circular'), kernel, bias))
        return nca_torch.network(y, *weights, activate=leaky)

    return nca.step(x, nca_torch.fires(x), change, nca_torch.living)


class Case:
    """Start states, weights and functions of a work."""

    def __init__(self, work, layout, compiled, segments):
        torch.manual_seed(1)
        self.work, self.segments = work, segments
        memory_format = torch.channels_last if layout == 'channels-last' else torch.contiguous_format
        disc = nca.disc(torch.arange(work.side, device=device), work.side).float()
        full = work.network == 'conv'
        x = torch.rand(work.batch, CHANNELS, work.side, work.side, device=device) * (1 if full else disc)
        x[:, ALPHA] = 1 if full else disc
        self.x = x.contiguous(memory_format=memory_format)
        self.target = torch.rand(4, work.side, work.side, device=device)
        perceived, hidden = SIZES[work.network]
        weights = lambda outputs, inputs, size=1: (
            (2 * torch.rand(outputs, inputs, size, size, device=device) - 1) / math.sqrt(inputs * size * size))
        last = 0.01 * torch.randn(CHANNELS, hidden, 1, 1, device=device)
        if full:
            last[ALPHA] = 0  # so that every cell stays alive
        update = [weights(hidden, perceived), torch.zeros(hidden, device=device), last,
                  torch.zeros(CHANNELS, device=device)]
        if full:
            self.learned = [weights(perceived, CHANNELS, 3), torch.zeros(perceived, device=device), *update]
        else:
            self.filters = nca_torch.filters(CHANNELS, device=device)
            self.learned = update
        self.learned = [torch.nn.Parameter(w) for w in self.learned]
        self.step = conv_step if full else growing_step
        if compiled:
            torch._dynamo.reset()  # or it would compile for sizes that it has not seen yet
            self.step = torch.compile(self.step, dynamic=False)
        self.optimiser = torch.optim.Adam(self.learned, lr=RATE, **({'capturable': True} if cuda else {}))

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
        nca_torch.loss(self.rollout(self.x), self.target).backward()
        nca_torch.learn(self.optimiser, self.learned)


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
    times = measured(lambda: once(run), options.seconds)
    return {**times, 'peakMB': torch.cuda.max_memory_allocated() / 2 ** 20 if cuda else None}


def say(**line):
    print(json.dumps(line), flush=True)


say(engine='PyTorch', version=torch.__version__, device=torch.cuda.get_device_name() if cuda else 'cpu',
    python=sys.version.split()[0])
forms = [('channels-first', False, False), ('channels-last', False, False), ('channels-last', False, True),
         ('channels-last', True, False), ('channels-last', True, True)]
for (name, work), (layout, compiled, graph), tf32 in itertools.product(chosen(options).items(), forms, (False, True)):
    if (tf32 or graph) and not cuda:
        continue
    # Recomputation draws its random numbers again, which cannot be captured.
    for segments in (False, True) if name.startswith('table2') and not graph else (False,):
        torch.backends.cuda.matmul.allow_tf32 = tf32
        torch.backends.cudnn.allow_tf32 = tf32
        torch.backends.cudnn.benchmark = True
        what = {'work': name, 'layout': layout, 'compiled': compiled, 'graph': graph, 'tf32': tf32,
                'checkpoint': segments}
        try:
            if compiled and not hasattr(torch, 'compile'):
                raise RuntimeError(f'PyTorch {torch.__version__} has no torch.compile')
            result = measure(work, layout, compiled, graph, segments)
        except Exception as error:  # out of memory, mostly
            result = {'error': (str(error).strip().splitlines() or [type(error).__name__])[0]}
        say(**what, **result)
