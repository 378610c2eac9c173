"""Measure `nadam_nb` on a GPU, with JAX and PyTorch, in less than eight minutes: `python tools/gpu.py --json gpu.json`.

Needs JAX and PyTorch with CUDA, Keras and this package; not TensorFlow. Each part runs in a process of its own, with a
limit; the file is written after each. `--tiny` runs every line within two minutes on a machine without a GPU.
"""
import argparse, json, os, subprocess, sys, time
from datetime import date
from functools import partial
from statistics import median

PARTS = {'jax tests': 60, 'torch tests': 60, 'jax steps': 110, 'torch steps': 150, 'jax fit': 170, 'torch fit': 110,
         'jax factorial': 100}  # and the seconds that each may take
TINY = dict(sizes=[100_000], layers=1, width=32, words=64, length=16, batch=2, steps=2, seconds=.05, minute=2.)
FULL = dict(sizes=[25_000_000, 500_000_000, 2_000_000_000], layers=12, width=768, words=16384, length=512, batch=8,
            steps=20, seconds=2., minute=60.)
BYTES = 28  # a step reads w, m, v, g and writes w, m, v


# What differs between the libraries

def torch_device():
    import torch
    return 'cuda' if torch.cuda.is_available() else 'cpu'

def wait(backend, out=None):
    "Wait for the end of all work."
    if backend == 'jax': import jax; return jax.block_until_ready(out)
    import torch
    if torch.cuda.is_available(): torch.cuda.synchronize()

def full(backend, n, value):
    "A float32 array of equal numbers."
    if backend == 'jax': import jax; return jax.numpy.full(n, value, 'float32')
    import torch
    return torch.full((n,), value, device=torch_device())

def peak(backend):
    "Most bytes of the GPU's memory that were in use, as far as the library tells."
    if backend == 'jax': import jax; return (jax.devices()[0].memory_stats() or {}).get('peak_bytes_in_use')
    import torch
    return torch.cuda.max_memory_allocated() if torch.cuda.is_available() else None

def forget_peak(backend):
    "Start the record of the peak anew, where the library can."
    if backend == 'torch': import torch; torch.cuda.is_available() and torch.cuda.reset_peak_memory_stats()

def clock(step, backend, seconds):
    "Median time of a call in seconds, after three that do not count."
    for _ in range(3): wait(backend, step())
    times, end = [], time.perf_counter() + seconds
    while len(times) < 3 or time.perf_counter() < end:
        start = time.perf_counter()
        wait(backend, step())
        times.append(time.perf_counter() - start)
    return median(times)


# Tests: what the GPU computes, against the paper's algorithm in float64

def follow(backend, steps=20, **settings):
    "The weights after some steps of `nadam_nb`, and of a loop in NumPy."
    import keras, numpy as np
    from nadam_nb import Nadam
    from nadam_nb.rule import nadam_step, step_scalars
    rng = np.random.default_rng(0)
    w = rng.normal(size=(300, 300))
    variable = keras.Variable(w.astype('float32'))
    optimizer, m, v, product = Nadam(.01, **settings), np.zeros_like(w), np.zeros_like(w), 1.
    decay = .01*settings.get('weight_decay', 0)
    for t in range(1, steps + 1):
        g = rng.normal(size=w.shape).astype('float32')
        optimizer.apply([keras.ops.convert_to_tensor(g)], [variable])
        s = step_scalars(float(t), product, .01)
        w, m, v = nadam_step(w - decay*w, m, v, g.astype('float64'), s)
        product = s.product
    return keras.ops.convert_to_numpy(variable.value), w, optimizer

def tests(backend, size):
    "Names of the tests, and how far the weights are off."
    import keras, numpy as np
    found = {}
    for name, settings, bound in (('plain', {}, 1e-5), ('decay', dict(weight_decay=.1), 1e-5),
                                  ('fused=False', dict(fused=False), 1e-5),
                                  ('bfloat16 state', dict(state_dtype='bfloat16'), .02)):
        ours, expected, optimizer = follow(backend, **settings)
        found[name] = dict(off=float(np.abs(ours - expected).max()), bound=bound)
        assert found[name]['off'] < bound, (name, found[name])
        assert {place(v, backend) for v in optimizer.variables[2:]} == {place(keras.Variable([1.]), backend)}, name
    return dict(device=place(keras.Variable([1.]), backend), tests=found)

def place(variable, backend):
    "Kind of device of a variable."
    v = variable.value
    return v.device.type if backend == 'torch' else next(iter(v.devices())).platform


# Steps: one variable, against the bandwidth of a copy and the peers

def bandwidth(backend, n, seconds):
    "Bytes per second of a copy, reading and writing counted."
    x, y = full(backend, n, 1.), full(backend, n, 0.)
    if backend == 'torch': return 8*n/clock(lambda: y.copy_(x), backend, seconds)
    import jax
    copy, kept = jax.jit(lambda x, y: y + x, donate_argnums=1), [y]
    def step(): kept[0] = copy(x, kept[0]); return kept[0]
    return 12*n/clock(step, backend, seconds)

def jax_step(n, kind):
    "A step on JAX, compiled, with weights and state donated."
    import jax, keras, optax
    from nadam_nb import Nadam
    w, g = [full('jax', n, .5)], [full('jax', n, .1)]
    if kind == 'optax':
        optimizer = optax.nadam(1e-3)
        state = optimizer.init(w)
        def update(w, state, g):
            change, state = optimizer.update(g, state, w)
            return optax.apply_updates(w, change), state
    else:
        variable = keras.Variable(w[0])
        optimizer = (Nadam if kind == 'ours' else keras.optimizers.Nadam)()
        optimizer.build([variable])
        w, state = [variable.value], [v.value for v in optimizer.variables]
        variable._value = None
        for v in optimizer.variables: v._value = None
        def update(w, state, g): return optimizer.stateless_apply(state, g, w)
    call, kept = jax.jit(update, donate_argnums=(0, 1)), [w, state]
    def step(): kept[:] = call(*kept, g); return kept
    return step

def torch_step(n, kind):
    "A step on PyTorch."
    import keras, torch
    from nadam_nb import Nadam
    if kind in ('ours', 'ours, compiled', 'Keras'):
        variable, g = keras.Variable(full('torch', n, .5)), full('torch', n, .1)
        optimizer = keras.optimizers.Nadam() if kind == 'Keras' else Nadam(fused=kind == 'ours, compiled' or None)
        return lambda: optimizer.apply([g], [variable])
    w = torch.nn.Parameter(full('torch', n, .5))
    w.grad = full('torch', n, .1)
    if kind == 'NAdam(foreach)': return torch.optim.NAdam([w], foreach=True).step
    return torch.optim.Adam([w], fused=True).step

def steps(backend, size):
    "Time of a step, and its share of the bandwidth."
    kinds = ('ours', 'optax', 'Keras') if backend == 'jax' else ('ours', 'ours, compiled', 'NAdam(foreach)',
                                                                 'Adam(fused)', 'Keras')
    make, rows = jax_step if backend == 'jax' else torch_step, []
    for n in size['sizes']:
        speed = bandwidth(backend, n, size['seconds']/4)
        for kind in kinds:
            row = dict(weights=n, kind=kind, bandwidth=speed)
            try: row['seconds'] = clock(make(n, kind), backend, size['seconds'])
            except Exception as e: row['error'] = f'{type(e).__name__}: {e}'[:200]
            else: row['share'] = BYTES*n/row['seconds']/speed
            rows.append(row)
            release(backend)
            report(rows=rows)
    return dict(rows=rows)

def release(backend):
    "Give memory back between two contenders."
    import gc
    gc.collect()
    if backend == 'torch': import torch; torch.cuda.empty_cache()


# Fit: a transformer in bfloat16

def transformer(layers, width, words, length):
    "A decoder with tied sizes: 110 million weights with 12 layers of width 768."
    import keras
    L, ids = keras.layers, keras.Input((length,), dtype='int32')
    x = L.Embedding(words, width)(ids)
    for _ in range(layers):
        attention = L.MultiHeadAttention(width//16 if width < 64 else width//64, min(width//2, 64))
        y = L.LayerNormalization()(x)
        x = x + attention(y, y, use_causal_mask=True)
        x = x + L.Dense(width)(L.Dense(4*width, 'gelu')(L.LayerNormalization()(x)))
    return keras.Model(ids, L.Dense(words, dtype='float32')(L.LayerNormalization()(x)))

def one_fit(backend, size, settings):
    "Time of a batch in the last epoch of three, and the losses."
    import keras, numpy as np
    from nadam_nb import Nadam
    keras.utils.set_random_seed(0)
    forget_peak(backend)
    model = transformer(*(size[k] for k in ('layers', 'width', 'words', 'length')))
    x = np.random.default_rng(0).integers(0, size['words'], (size['batch']*size['steps'], size['length']))
    optimizer = keras.optimizers.Nadam(1e-4) if settings is None else Nadam(1e-4, **settings)
    model.compile(optimizer, keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    seconds, losses = [], []
    for _ in range(3):
        start = time.perf_counter()
        losses += model.fit(x, x, batch_size=size['batch'], verbose=0).history['loss']
        if backend == 'torch': wait(backend)
        seconds.append((time.perf_counter() - start)/size['steps'])
    state = sum(int(np.prod(v.shape))*np.dtype(str(v.dtype).replace('bfloat16', 'float16')).itemsize
                for v in optimizer.variables)
    return dict(weights=model.count_params(), seconds=seconds[-1], losses=losses, state=state, peak=peak(backend))

def fit(backend, size):
    "`fit` with the state in float32 and in bfloat16, and with weights rounded at random."
    import keras
    keras.config.set_dtype_policy('bfloat16')
    kinds = {'ours, state and weights rounded at random': dict(state_dtype='bfloat16', stochastic_rounding=True),
             'ours, state in bfloat16': dict(state_dtype='bfloat16'), 'ours': {}, 'Keras': None}  # JAX's peak only grows
    rows = []
    for kind, settings in kinds.items():
        try: rows.append(dict(kind=kind, **one_fit(backend, size, settings)))
        except Exception as e: rows.append(dict(kind=kind, error=f'{type(e).__name__}: {e}'[:200]))
        release(backend)
        report(rows=rows)
    return dict(rows=rows)


# Factorial: schedule x learning rate x seed, as many seeds as a minute allows, all cells at once by `vmap`

def run_all(rates, decays, keys, steps=200, width=64):
    "Final losses of a small network for every rate, decay and seed."
    import jax
    from jax import numpy as jnp
    from nadam_nb.rule import nadam_step, step_scalars
    def loss(w, x): return ((jnp.tanh(x @ w[0]) @ w[1] - jnp.sin(3*x[:, :1]))**2).mean()
    def one(rate, decay, key):
        a, b, c = jax.random.split(key, 3)
        w = jax.random.normal(a, (8, width))/3, jax.random.normal(b, (width, 1))/8
        def step(carry, t):
            w, m, v, product = carry
            g = jax.grad(loss)(w, jax.random.normal(jax.random.fold_in(c, t), (64, 8)))
            s = step_scalars(t, product, rate, momentum_decay=decay)
            new = [nadam_step(*x, s) for x in zip(w, m, v, g)]
            return (*map(tuple, zip(*new)), s.product), None
        zero = tuple(map(jnp.zeros_like, w))
        (w, *_), _ = jax.lax.scan(step, (w, zero, zero, jnp.float32(1)), jnp.arange(1., steps + 1))
        return loss(w, jax.random.normal(c, (1024, 8)))
    over = partial(jax.vmap, one)
    return jax.vmap(jax.vmap(over((None, None, 0)), (None, 0, None)), (0, None, None))(rates, decays, keys)

def factorial(backend, size):
    "Mean final loss for every learning rate and speed of the schedule."
    import jax, numpy as np
    rates, decays = [.001, .003, .01, .03], [.004, 1., 1000.]
    call, end, found, seed = jax.jit(run_all), time.perf_counter() + size['minute'], [], 0
    while not found or time.perf_counter() < end:
        keys = jax.random.split(jax.random.key(seed), 2 if size is TINY else 256)
        found.append(np.asarray(call(np.float32(rates), np.float32(decays), keys)))
        seed += 1
    losses = np.concatenate(found, -1)
    cells = [dict(rate=r, decay=d, mean=float(x.mean()), error=float(x.std()/x.size**.5))
             for r, row in zip(rates, losses) for d, x in zip(decays, row)]
    return dict(runs=losses.size, cells=cells)


# The command

def report(**found): print(json.dumps(found), flush=True)

def work(part, tiny):
    "In a process of its own: one part."
    backend, what = part.split()
    os.environ['XLA_PYTHON_CLIENT_PREALLOCATE'] = 'false'
    done = dict(tests=tests, steps=steps, fit=fit, factorial=factorial)[what](backend, TINY if tiny else FULL)
    import keras, numpy
    module = __import__(backend)
    versions = {'keras': keras.__version__, 'numpy': numpy.__version__, backend: module.__version__}
    report(**done, versions=versions, tensorflow='tensorflow' in sys.modules)

def start(part, tiny, limit):
    "Run a part; what it reported last, with an error if it did not end well."
    command = [sys.executable, __file__, '--part', part, *['--tiny']*tiny]
    env = {**os.environ, 'KERAS_BACKEND': part.split()[0]}
    try: p = subprocess.run(command, env=env, capture_output=True, text=True, timeout=limit)
    except subprocess.TimeoutExpired as e: out, error = (e.stdout or b'').decode(), f'longer than {limit:.0f} s'
    else: out, error = p.stdout, p.stderr.strip().split('\n')[-1][:300] if p.returncode else None
    lines = [line for line in out.splitlines() if line.startswith('{')]
    return {**(json.loads(lines[-1]) if lines else {}), **({'error': error} if error else {})}

def gpu():
    "Name, memory and driver, as `nvidia-smi` tells."
    query = ['nvidia-smi', '--query-gpu=name,memory.total,driver_version', '--format=csv,noheader']
    try: return subprocess.run(query, capture_output=True, text=True, timeout=20).stdout.strip() or None
    except (OSError, subprocess.TimeoutExpired): return None

def main():
    p = argparse.ArgumentParser(description=__doc__.split('\n')[0])
    p.add_argument('--json', help='write everything there')
    p.add_argument('--parts', nargs='+', choices=PARTS, default=list(PARTS), metavar='PART')
    p.add_argument('--minutes', type=float, default=8, help='after so many minutes nothing new begins (default: 8)')
    p.add_argument('--tiny', action='store_true', help='tiny sizes: does every line run?')
    p.add_argument('--part', help=argparse.SUPPRESS)
    args = p.parse_args()
    if args.part: return work(args.part, args.tiny)
    begin, results = time.perf_counter(), dict(date=str(date.today()), gpu=gpu(), tiny=args.tiny, parts={})
    for part in args.parts:
        left = 60*args.minutes - (time.perf_counter() - begin)
        results['parts'][part] = start(part, args.tiny, min(PARTS[part], left)) if left > 5 else dict(error='no time left')
        results['seconds'] = time.perf_counter() - begin
        print(part, json.dumps(results['parts'][part]), flush=True)
        if args.json:
            with open(args.json, 'w') as f: json.dump(results, f, indent=1)
    return int(any('error' in found for found in results['parts'].values()))


if __name__ == '__main__': sys.exit(main())
