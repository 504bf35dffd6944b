"""What all models here have in common, in plain Python: constants, seeds and the step. It imports nothing, so that PyTorch,
JAX and NumPy can each have it without the others.

The scripts of this folder compute, with other libraries, what cellgrad computes:

    reference.py      writes the numbers that tests compare ours with (PyTorch and NumPy; tests/reference/README.md)
    server.py         PyTorch on the CPU, an engine of `npm run bench` (bench/README.md); kinds_torch.py has its other rules
    gpu_pytorch.py    PyTorch and JAX on a GPU, the work of `npm run bench -- --webgpu`; works.py says what it is
    gpu_jax.py

Model: Mordvintsev et al., "Growing Neural Cellular Automata", Distill 2020, https://distill.pub/2020/growing-ca/
"""

CHANNELS, HIDDEN = 16, 128
ALPHA, ALIVE_ABOVE = 3, 0.1
FIRE_RATE = 0.5

# The optimiser: Adam, after each gradient was divided by its norm.
RATE, TINY = 2e-3, 1e-8

IDENTITY = [[0, 0, 0], [0, 1, 0], [0, 0, 0]]
SOBEL_X = [[-1 / 8, 0, 1 / 8], [-2 / 8, 0, 2 / 8], [-1 / 8, 0, 1 / 8]]
SOBEL_Y = [list(row) for row in zip(*SOBEL_X)]
FILTERS = [IDENTITY, SOBEL_X, SOBEL_Y]  # perception is c0·identity, c0·dx, c0·dy, c1·identity, …


def step(x, fire, change, living):
    """One step, for arrays of any library that multiplies numbers by booleans.

    x' = alive(x) · alive(x + dx) · (x + dx)   with   dx = fire · change(x)
    """
    alive_before = living(x)
    grown = x + fire * change(x)
    return grown * (alive_before & living(grown))


def disc(at, side):
    """Which cells of a grid a disc a quarter of the side in radius covers; `at` is the row 0 … side − 1 as an array."""
    at = at - side / 2
    return at[:, None] ** 2 + at ** 2 < (side / 4) ** 2
