"""PyTorch on the CPU as a benchmarked engine, by the protocol of bench/servers/serve.mjs.

usage: python3 server.py channels-last|channels-first THREADS

channels-first is how implementations of neural cellular automata are usually written, channels-last is PyTorch's
fastest. Both compute every cell in every step with conv2d, draw masks, and in training divide each gradient by its norm
before Adam.
"""
import json
import os
import resource
import sys
import time

import numpy as np
import torch
import torch.nn.functional as F

import kinds_torch
import nca_torch
from nca import RATE

layout, threads = sys.argv[1], int(sys.argv[2])
torch.set_num_threads(threads)
torch.manual_seed(1)
memory_format = torch.channels_last if layout == 'channels-last' else torch.contiguous_format

cases = {}


class Case:
    """A case that bench/lib/cases.ts wrote: [b,h,w,c] and [in,out] become PyTorch's [b,c,h,w] and [out,in,1,1]."""

    def __init__(self, folder):
        self.folder = folder
        with open(os.path.join(folder, 'case.json')) as file:
            sizes = json.load(file)
        self.batch, self.side, self.channels, self.hidden = (sizes[n] for n in ('batch', 'side', 'channels', 'hidden'))
        b, s, c, h = self.batch, self.side, self.channels, self.hidden
        self.x0 = self.load('x0', b, s, s, c).permute(0, 3, 1, 2).contiguous(memory_format=memory_format)
        self.target = self.load('target', s, s, 4).permute(2, 0, 1).contiguous()
        kernel = lambda w: w.t()[:, :, None, None].contiguous()
        self.params = [kernel(self.load('w1', 3 * c, h)), self.load('b1', h),
                       kernel(self.load('w2', h, c)), self.load('b2', c)]
        self.filters = nca_torch.filters(c)

    def load(self, name, *shape):
        return torch.from_numpy(np.fromfile(os.path.join(self.folder, name + '.bin'), np.float32).reshape(shape))

    def masks(self, steps):
        return self.load('masks', -1, self.batch, 1, self.side, self.side)[:steps]

    def rollout(self, params, steps, masks=None):
        x = self.x0
        for t in range(steps):
            fire = nca_torch.fires(x) if masks is None else masks[t]
            x = nca_torch.growing_step(x, fire, self.filters, *params)
        return x

    def fresh(self):
        return [torch.nn.Parameter(p.clone()) for p in self.params]


def case_of(folder):
    if folder not in cases:
        cases[folder] = Case(folder)
    return cases[folder]


def timed(fn):
    cpu, started = time.process_time(), time.perf_counter()
    fn()
    ms = (time.perf_counter() - started) * 1e3
    return {'ms': ms, 'busyCores': (time.process_time() - cpu) * 1e3 / ms}


def train(request):
    case = case_of(request['folder'])
    params = case.fresh()  # every timed step begins from the same parameters
    optimiser = torch.optim.Adam(params, lr=RATE)
    optimiser.zero_grad()

    def iteration():
        nca_torch.loss(case.rollout(params, request['steps']), case.target).backward()
        nca_torch.learn(optimiser, params)

    return timed(iteration)


def forward(request):
    case = case_of(request['folder'])
    with torch.no_grad():
        return timed(lambda: case.rollout(case.params, request['steps']))


def gradients(request):
    case = case_of(request['folder'])
    params = case.fresh()
    loss = nca_torch.loss(case.rollout(params, request['steps'], case.masks(request['steps'])), case.target)
    loss.backward()
    w1, b1, w2, b2 = (p.grad for p in params)
    flat = lambda g: (g[:, :, 0, 0].t() if g.dim() == 4 else g).reshape(-1).tolist()
    return {'loss': loss.item(), 'grads': {'w1': flat(w1), 'b1': flat(b1), 'w2': flat(w2), 'b2': flat(b2)}}


def operator_case(name, batch, side):
    """Makes the inputs of an operator and returns what is timed; the names are those of cellgrad.mjs."""
    image = lambda c: torch.randn(batch, c, side, side).contiguous(memory_format=memory_format)
    bilinear = {
        'dense 48→128': (F.conv2d, lambda: image(48), (128, 48, 1, 1)),
        'dense 128→16': (F.conv2d, lambda: image(128), (16, 128, 1, 1)),
        'conv2d 3×3 16→48': (lambda x, w: F.conv2d(x, w, padding=1), lambda: image(16), (48, 16, 3, 3)),
        'depthwiseConv 3×3 16→48':
            (lambda x, w: F.conv2d(x, w, padding=1, groups=16), lambda: image(16), (48, 1, 3, 3)),
    }
    base, _, derivative = name.partition(' ∂')
    if base in bilinear:
        f, make, shape = bilinear[base]
        x, w = make(), torch.randn(*shape)
        if not derivative:
            return lambda: f(x, w)
        argument = x if derivative == 'x' else w
        argument.requires_grad_()
        y = f(x, w)
        g = torch.randn_like(y)
        return lambda: torch.autograd.grad(y, argument, g, retain_graph=True)
    x, y = image(int(name.split()[-1])), image(int(name.split()[-1]))
    mask = x > 0
    return {
        'maxPool': lambda: F.max_pool2d(x, 3, 1, 1), 'add': lambda: x + y, 'mul': lambda: x * y,
        'where': lambda: torch.where(mask, x, y), 'relu': lambda: F.relu(x), 'tanh': lambda: torch.tanh(x),
        'sum': lambda: x.sum(), 'mean': lambda: x.mean(),
    }[name.split()[0]]


operators = {}


def operator(request):
    name = request['name']
    if name not in operators:
        operators[name] = operator_case(name, request['batch'], request['side'])
    times = []
    while sum(times) < request['ms'] or len(times) < 3:
        times.append(timed(operators[name])['ms'])
    return {'ms': sorted(times)[len(times) // 2]}


kinds = {}


def kind(request):
    """A rule of another kind, by its name in kinds_torch.py."""
    name, work = request['kind'], (request['batch'], request['size'], request['steps'], request['compiled'])
    if (name, str(work)) not in kinds:
        kinds[name, str(work)] = kinds_torch.KINDS[name](*work)
    return timed(kinds[name, str(work)])


tasks = {'kind': kind, 'train': train, 'forward': forward, 'gradients': gradients, 'operator': operator}
for line in sys.stdin:
    request = json.loads(line)
    try:
        answer = tasks[request['task']](request)
    except Exception as error:
        answer = {'error': str(error)}
    answer['rssMB'] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(json.dumps(answer), flush=True)
