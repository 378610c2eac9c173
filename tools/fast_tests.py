"""Fast tests of what the pages show at length: edges of every argument, random rounding, rows stepped alone. `mutate.py` runs them on mutants;
by themselves: `python tools/fast_tests.py`.
"""
import math
import warnings
from contextlib import contextmanager
from functools import partial
from unittest.mock import patch

import keras
import numpy as np
from keras import ops
from keras.backend import standardize_dtype

from nadam_nb import Nadam, clip
from nadam_nb.arguments import CHECKS, checked, current, schedule_from, warn
from nadam_nb.engines.one_by_one import OneByOne, Policy, Row
from nadam_nb.gradients import sparse_kind
from nadam_nb.optimizer import Optimizer
from nadam_nb.reference import NadamReference
from nadam_nb.rounding import key_of, places, store, variable_key
from nadam_nb.rule import Scalars, cast_scalars, nadam_rule, step_scalars, wide_dtype

TINY, HUGE = float(np.finfo('float32').tiny), float(np.finfo('float32').max)
LESS, MORE, LEAST = np.nextafter(TINY, 0), np.nextafter(HUGE, math.inf), 5e-324
POSITIVE, FLAGS = ([None, TINY, 0.5, HUGE], [LESS, MORE, 0, -1, math.nan, 'x', lambda: 1.]), ([True, False, np.True_], [None, 1, 'x'])
SHARE = [0, 0.5, np.nextafter(1, 0), lambda: 0.5], [1, -LEAST, math.nan, None, 'x']
TABLE = {  # argument -> values at the edge of what is accepted, and of what is refused
    'learning_rate': ([0, HUGE, np.uint8(1), np.int8(1), np.float16(0.5), lambda: 0.5],
                      [-LEAST, MORE, math.nan, None, '1', True, [0.5], np.array([0.5])]),
    'beta_1': SHARE, 'beta_2': SHARE, 'epsilon': ([TINY, HUGE], [LESS, MORE, None, lambda: 0.5]),
    'momentum_decay': ([LEAST, 0.5, math.inf], [0, math.nan, None]), 'name': (['x'], [3]),
    'clipnorm': POSITIVE, 'clipvalue': POSITIVE, 'global_clipnorm': POSITIVE, 'loss_scale_factor': POSITIVE,
    'use_ema': FLAGS, 'ema_momentum': ([0, 0.5, 1], [-LEAST, np.nextafter(1, 2), None]),
    'ema_overwrite_frequency': ([None, 1, np.int64(3)], [0, 1.5, True]), 'gradient_accumulation_steps': ([None, 2, 3], [1, 2.5, True]),
    'weight_decay': ([None, 0, 0.5, HUGE], [-LEAST, MORE, math.nan]), 'jit_compile': FLAGS, 'fused': ([None, True, False], [1, 'x']),
    'nonfinite': (['propagate', 'skip', 'raise'], ['x', None]), 'sparse_update': (['exact', 'lazy'], ['x', None]),
    'state_dtype': ([None, 'bfloat16', 'float32'], ['float16', 'float64', 2]), 'stochastic_rounding': FLAGS,
    'seed': ([0, 1, 2**40], [-1, None, True, 0.5]),
    'rate_multipliers': ([None, {}, {'a': 0}, {'a': HUGE}], [{'a': -LEAST}, {'a': MORE}, {1: 1.}, {'(': 1.}, 5])}

def error_of(call):
    "The error that a call raises, as text."
    try: call()
    except (TypeError, ValueError) as error: return str(error)
    raise AssertionError('no error')

def table():
    "Every argument is kept up to the edge of its range, and refused by name beyond; the message offers `None` where that is accepted."
    for name,(good, bad) in TABLE.items():
        for x in good:
            kept = Nadam(**{name: x}).get_config()[name]
            want = x() if callable(x) else x
            assert kept == (np.float32(want) if name == 'learning_rate' else want and name != 'jit_compile' and want), (name, x, kept)
        for x in bad:
            said = error_of(partial(Nadam, **{name: x}))
            assert f'`{name}` must be' in said and ('None' in said.split('Received')[0]) == (None in good), said

def defaults():
    "What an optimizer has to which nothing was given; and what excludes what."
    class Plain(Optimizer): pass
    want = dict(clipnorm=None, clipvalue=None, global_clipnorm=None, use_ema=False, ema_momentum=0.99, ema_overwrite_frequency=None,
                jit_compile=False, weight_decay=None, gradient_accumulation_steps=None, loss_scale_factor=None, fused=None,
                nonfinite='propagate', sparse_update='exact', state_dtype=None, stochastic_rounding=False, seed=0, rate_multipliers=None,
                shard_state=False)
    rate = float(np.float32(0.001))
    assert Plain().get_config() == {**want, 'learning_rate': rate, 'name': 'Plain'}
    assert checked('x', CHECKS, dict(jit_compile=True)) == dict(jit_compile=True) and Plain.__init__.__globals__['DEFAULTS']['jit_compile']
    assert Nadam().get_config() == {**want, 'learning_rate': rate, 'name': 'Nadam', 'beta_1': 0.9, 'beta_2': 0.999, 'epsilon': 1e-7,
                                    'momentum_decay': 1.}
    for more in (dict(use_ema=True), dict(gradient_accumulation_steps=2)):
        assert 'sparse_update' in error_of(partial(Nadam, sparse_update='lazy', **more))
        Nadam(**more)
    assert 'clipnorm' in error_of(lambda: Nadam(clipnorm=1., global_clipnorm=1.))

def warned(call):
    "What a call returns, and the warnings that it gives."
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter('always')
        return call(), caught

def names():
    "Names of the past; and the line that a warning points at, which is not a library's."
    for old,new in (('lr', 'learning_rate'), ('schedule_decay', 'momentum_decay')):
        optimizer, (one,) = warned(partial(Nadam, **{old: 0.5}))
        assert optimizer.get_config()[new] == 0.5 and one.category is DeprecationWarning and f'`{new}`' in str(one.message)
    for old in ('decay', 'gradient_transformers', 'gradient_aggregator'):
        _, (one,) = warned(partial(Nadam, **{old: 0.5}))
        assert one.category is UserWarning and f'`{old}`' in str(one.message)
    assert not warned(lambda: Nadam(0.5, beta_1=0.5, is_legacy_optimizer=False))[1]
    assert 'rate' in error_of(lambda: Nadam(rate=0.5))
    for package in ('nadam_nb', 'keras', 'tensorflow', 'torch', 'jax', 'other'):
        space = {'__name__': f'{package}.inner', 'warn': warn}
        exec(compile('def call(): warn("!")', 'inner.py', 'exec'), space)
        _, (one,) = warned(space['call'])
        assert (one.filename == 'inner.py') == (package == 'other')

class Both:
    "A number with a dtype that can be called, as some libraries' are."
    dtype, shape = 'float32', ()
    def __float__(self): return 0.5
    def __call__(self): raise AssertionError('called')

class Long(Both):
    "More than one number."
    shape = 1,

class Odd(keras.optimizers.schedules.LearningRateSchedule):
    "A schedule that looks at the names in force when it is made, and at the step it is tried with."
    @classmethod
    def from_config(cls, config): assert keras.saving.get_registered_object('Odd') is cls; return cls()
    def __call__(self, step): assert int(step) == 0 and not step.trainable; return ops.cast(0.25, 'float32')
    def get_config(self): return {}

def callables():
    "Numbers that can be called, callables that return none, schedules."
    assert 'learning_rate' in error_of(lambda: Nadam(Long()))
    assert Nadam(ops.convert_to_tensor(0.5, 'bfloat16')).get_config()['learning_rate'] == 0.5
    assert Nadam(Both()).get_config()['learning_rate'] == Nadam(beta_1=Both()).beta_1 == 0.5
    assert current(CHECKS, 'learning_rate', Both) == current(CHECKS, 'learning_rate', lambda: 0.5) == 0.5
    assert '`beta_1` must be' in error_of(lambda: Nadam(beta_1=lambda: lambda: 0.5).get_config())
    for config in (dict(registered_name='Odd', class_name='x'), dict(class_name='Odd')):
        assert isinstance(schedule_from({**config, 'config': {}}, {'Odd': Odd}), Odd)
        assert 'LearningRateSchedule' in error_of(partial(schedule_from, {**config, 'config': {}}))
    assert 'LearningRateSchedule' in error_of(lambda: schedule_from(dict(class_name='Dense', config=dict(units=1))))

def clipping():
    "A single gradient; a common norm is of the widest dtype, also where Keras promotes float64 to float32."
    g = ops.convert_to_tensor([3., 4.], 'float32')
    np.testing.assert_allclose(ops.convert_to_numpy(clip.clip([g], global_clipnorm=1.)[0]), [0.6, 0.8], 1e-6)
    assert standardize_dtype(clip.global_norm([g]).dtype) == 'float32'
    with patch.object(clip, 'result_type', lambda *dtypes: 'float32'):
        assert standardize_dtype(clip.global_norm([g, ops.cast(g, 'float64')]).dtype) == 'float64'

def sparse_forms():
    "What counts as sparse; sparse gradients whose parts do not fit together, or do not fit the variable."
    like = lambda module, **attributes: type('Tensor', (), {'__module__': module, **attributes})()
    for module,attributes,want in (('torch', dict(layout='torch.sparse_coo'), 'torch'), ('torch', dict(layout='torch.strided'), ''),
                                   ('torch', {}, ''), ('other', dict(layout='torch.sparse_coo'), ''), ('jax.x', dict(todense=1), 'jax'),
                                   ('other', dict(todense=1), ''), ('jax.x', {}, '')):
        assert sparse_kind(like(module, **attributes)) == want
    import tensorflow as tf
    v, optimizer = keras.Variable(np.ones((4, 2)), name='v'), Nadam()
    optimizer.build([v])
    make = lambda indices, n: tf.IndexedSlices(tf.ones((n, 2)), tf.constant(indices), (4, 2))
    for indices,n,words in (([0, 1], 3, 'indices'), ([[0], [1], [2]], 3, 'indices'), ([4], 1, 'row 4'), ([-1], 1, 'row -1')):
        assert words in error_of(partial(optimizer.apply, [make(indices, n)], [v]))
    optimizer.apply([make([3, 0], 2)], [v])
    assert (numbers([v])[0] < 1).all(1).tolist() == [True, False, False, True]

def changed():
    "What can be set once the state is made, and what cannot."
    optimizer = Nadam(clipnorm=1.)
    optimizer.build([keras.Variable(1.)])
    optimizer.nonfinite, optimizer.clipvalue, optimizer.use_ema, optimizer.fused = 'raise', 0.5, False, None
    optimizer.nonfinite = 'propagate'
    for name,x in dict(use_ema=True, gradient_accumulation_steps=2, fused=True, sparse_update='lazy', state_dtype='float32',
                       nonfinite='skip').items():
        assert f'`{name}` cannot be changed' in error_of(partial(setattr, optimizer, name, x))
    assert 'exclude' in error_of(partial(setattr, optimizer, 'global_clipnorm', 1.))

def scalars():
    "A number among tensors keeps its float64."
    s = Scalars(0.1, ops.ones((), 'float64'), 0.1, 0.1, 0.1, 0.1)
    assert float(ops.convert_to_numpy(cast_scalars(s, 'float64').a)) == 0.1

def rows_and_policies():
    "What a row and a policy have to which nothing was given, and the engines."
    assert Row('w', (), 'g') == ('w', (), 'g', None, False, 0, 1., None, ())
    assert Policy('rule') == ('rule', None, None, None, None, None, None, None, False, None) and not OneByOne().add

SHAPES = (300,), (), (4, 30), (7, 2)

@contextmanager
def joined(size):
    "A limit on what is stepped together; as plain graphs, which are made faster than XLA programs."
    if keras.backend.backend() == 'torch':
        from nadam_nb.engines.lists import PIECE
        with patch.dict(PIECE, cpu=size): yield
    else:
        from nadam_nb.engines import fused
        with patch.object(fused, 'SMALL', size), patch.object(fused, 'xla_works', lambda: False): yield

def start(dtypes, seed=0):
    "Variables of several shapes, and gradients without end."
    rng = np.random.default_rng(seed)
    variables = [keras.Variable(rng.normal(size=shape), dtype=dtype, name=f'v{i}') for i,(shape,dtype) in enumerate(zip(SHAPES, dtypes))]
    return variables, lambda: [ops.cast(ops.cast(rng.normal(size=shape), dtype), wide_dtype(dtype)) for shape,dtype in zip(SHAPES, dtypes)]

def numbers(variables): return [np.array(ops.convert_to_numpy(ops.cast(v, wide_dtype(v.dtype)))) for v in variables]

def by_hand(w, m, v, i, g, s, step, share, state_dtype, dtype, rounding, seed):
    "A step of one variable, with what is kept in half precision rounded at random."
    change, *slots = nadam_rule(g, type(s)(*(ops.convert_to_tensor(x, 'float32') for x in s)), *(ops.cast(x, 'float32') for x in (m, v)))
    key, place = key_of(seed, step), places(w.shape, variable_key(i))
    new = ops.cast(w, 'float32')*(1 - share) + change
    return store(new, dtype, place if rounding else None, key), *(store(x, state_dtype, place, key, k) for k,x in enumerate(slots))

def at_random(settings, dtype, size, sparse=False):
    "Share of the numbers, weights and moments, that are those found by hand, to the last bit of float32."
    variables, draw = start([dtype]*(1 if sparse else len(SHAPES)))
    optimizer, product = Nadam(2**-6, weight_decay=0.5, seed=3, **settings), 1.
    held = [(v.value + 0, ops.zeros(v.shape), ops.zeros(v.shape)) for v in variables]
    for t in range(1, 4):
        grads, s = draw(), step_scalars(float(t), product, 2**-6)
        with joined(size): optimizer.apply([every_row(g) if sparse else ops.cast(g, dtype) for g in grads], variables)
        held = [by_hand(*x, i, g, s, t, 2**-7, optimizer.state_dtype or 'float32', dtype, optimizer.stochastic_rounding, 3)
                for i,(x,g) in enumerate(zip(held, grads))]
        product = s.product
    found = numbers([*variables, *optimizer._momentums, *optimizer._velocities])
    want = numbers([x for some in zip(*held) for x in some])
    near = 3e-7 if keras.backend.backend() == 'torch' else 1e-9  # PyTorch's kernel takes the first moment as a difference
    return [np.mean(np.isclose(a, b, 1e-6, near)) for a,b in zip(found, want, strict=True)]

def every_row(g):
    "A gradient that names every row."
    import tensorflow as tf
    return tf.IndexedSlices(g, tf.range(g.shape[0]), g.shape)

def random_rounding():
    "Each way of taking a step rounds the same numbers with the same random bits; without rounding at random, to nearest."
    for settings in (dict(state_dtype='bfloat16', stochastic_rounding=True), dict(state_dtype='bfloat16'), dict(stochastic_rounding=True)):
        for more,size in ((dict(fused=False), 2**16), ({}, 2**16), ({}, 4)):
            shares = at_random({**settings, **more}, 'bfloat16', size)
            assert min(shares) > 0.97, (settings, more, size, shares)

def random_rows():
    "The same where rows are stepped alone."
    for more in (dict(fused=False), {}):
        shares = at_random(dict(state_dtype='bfloat16', stochastic_rounding=True, sparse_update='lazy', **more), 'bfloat16', 2**16, True)
        assert min(shares) > 0.97, (more, shares)

def follow(size, dtypes, factors=None, steps=6, **settings):
    "Take steps like the reference; with factors, like one reference for each variable."
    variables, draw = start(dtypes)
    rules = {} if factors is None else {f'v{i}': factor for i,factor in enumerate(factors)}
    optimizer = Nadam(2**-5, rate_multipliers=rules or None, **settings)
    optimizer.exclude_from_weight_decay(var_names=['v2'])
    known = {k: x for k,x in settings.items() if k != 'fused'}
    each = [NadamReference([w], 2**-5*factor, **{**known, 'weight_decay': 0. if i == 2 else known.get('weight_decay')})
            for i,(w,factor) in enumerate(zip(numbers(variables), factors or [1.]*4))]
    oracle = NadamReference(numbers(variables), 2**-5, **known)
    for _ in range(steps):
        grads = draw()
        with joined(size): optimizer.apply([ops.cast(g, v.dtype) for g,v in zip(grads, variables)], variables)
        oracle.step(numbers(grads))
        for one,g in zip(each, numbers(grads)): one.step([g])
    apart = known.get('global_clipnorm') is None
    for i,v in enumerate(variables):
        want = (each[i].weights[0], each[i].average[0]) if apart else (oracle.weights[i], oracle.average[i])
        rtol = dict(float64=1e-9 if apart else 1e-5, float32=1e-5).get(v.dtype, 0.03)  # a common norm is that of float32 gradients
        np.testing.assert_allclose(numbers([v])[0], want[0], rtol, rtol)
        if optimizer.use_ema: np.testing.assert_allclose(numbers([optimizer._model_variables_moving_average[i]])[0], want[1], rtol, rtol)

def ways():
    "Joined, alone, and one by one: weights of several dtypes, under rules that meet each other."
    mix, averages = ('float32', 'float32', 'float64', 'float32'), dict(use_ema=True, ema_momentum=0.5, ema_overwrite_frequency=4)
    for dtypes,factors,settings in ((mix, None, dict(clipvalue=0.5, clipnorm=1., weight_decay=0.5, **averages)),
                                    (mix, None, dict(clipvalue=0.5, global_clipnorm=1.)), (mix, (1., 0.5, 2., 0.), dict(weight_decay=0.5)),
                                    (('bfloat16', 'float32', 'float16', 'float32'), (1., 2., 1., 0.), averages)):
        for more,size in ((dict(fused=False), 2**16), ({}, 2**16), ({}, 4)): follow(size, dtypes, factors, **settings, **more)

def frozen():
    "With a factor of 0 a weight stays, whatever its gradient; its moments move."
    for more in (dict(fused=False), {}):
        w = keras.Variable(np.ones(3), name='w')
        optimizer = Nadam(0.5, rate_multipliers={'w': 0.}, weight_decay=0.5, state_dtype='bfloat16', **more)
        for g,moment in ((1., 0.1), (math.inf, math.inf)):
            optimizer.apply([ops.full((3,), g)], [w])
            np.testing.assert_array_equal(numbers([w])[0], 1)
            kept = numbers(optimizer._momentums)[0]  # by PyTorch's kernel NaN in place of infinity
            if moment == math.inf: assert not np.isfinite(kept).any()
            else: np.testing.assert_allclose(kept, np.full(3, moment), 0.01)

def stateless():
    "A step without side effects changes nothing in place, and ends where the other ends."
    if keras.backend.backend() == 'tensorflow': return  # Keras has no such step there
    w, optimizer = keras.Variable([1., 2.]), Nadam(0.1)
    optimizer.build([w])
    before = numbers([w, *optimizer.variables])
    state, values = [v.value for v in optimizer.variables], [w.value]
    (new,), _ = optimizer.stateless_apply(state, [ops.ones((2,))], values)
    for a,b in zip(before, numbers([w, *optimizer.variables])): np.testing.assert_array_equal(a, b)
    optimizer.apply([ops.ones((2,))], [w])
    np.testing.assert_allclose(ops.convert_to_numpy(new), numbers([w])[0], 1e-6)

def rows():
    "A row that is named is stepped like a variable alone; the others stay. A dense gradient names all."
    import tensorflow as tf
    for more,size in ((dict(fused=False), 2**16), ({}, 2**16)):
        w, rng = keras.Variable(np.random.default_rng(0).normal(size=(6, 2)), name='table'), np.random.default_rng(1)
        bias = keras.Variable([1., 2., 3.], name='bias')
        optimizer = Nadam(2**-5, sparse_update='lazy', weight_decay=0.5, rate_multipliers={'bias': 0.5}, **more)
        oracles = [[NadamReference([x], rate, weight_decay=0.5) for x in some] for some,rate in zip(numbers([w, bias]), (2**-5, 2**-6))]
        for call in range(6):
            ids = np.array([[0, 3, 3], [5], [], [1, 0, 0], [2], [0]][call], 'int64')
            values = rng.normal(size=(len(ids), 2)) if call != 2 else rng.normal(size=(6, 2))
            g = tf.constant(values, tf.float32)
            other = rng.normal(size=3).astype('float32')
            with joined(size): optimizer.apply([tf.IndexedSlices(g, ids, (6, 2)) if call != 2 else g, other], [w, bias])
            total = np.zeros((6, 2)); np.add.at(total, ids if call != 2 else np.arange(6), values)
            for i in set(ids.tolist()) if call != 2 else range(6): oracles[0][i].step([total[i]])
            for i in range(3): oracles[1][i].step([other[i]])
        for v,some in zip((w, bias), oracles):
            np.testing.assert_allclose(numbers([v])[0], [x.weights[0] for x in some], 1e-5, 1e-6)
        np.testing.assert_array_equal(numbers(optimizer._row_counts)[0], [x.iterations for x in oracles[0]])
        np.testing.assert_allclose(numbers(optimizer._row_u_product)[0], [x.product for x in oracles[0]], 1e-5)

if __name__ == '__main__':
    for test in (table, defaults, names, callables, clipping, sparse_forms, changed, scalars, rows_and_policies, random_rounding, random_rows, ways, frozen, stateless, rows): test()
