"""Uses of the package as type checkers see them. mypy and basedpyright read this file in the gate; nothing runs it.

What the contract accepts must pass. What it refuses must be reported: each such line says so to both checkers, and a comment
that suppresses nothing is itself an error.
"""
import keras
import numpy as np
import tensorflow as tf
from nadam_nb import Nadam

model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(1)])
weights: list[keras.Variable] = model.trainable_variables
grads = [tf.zeros(w.shape) for w in weights]

# Every form of a setting that the contract accepts
Nadam()
Nadam(0.01)
Nadam(1)
Nadam(np.float32(0.01))
Nadam(np.array(0.01))
Nadam(tf.constant(0.01))
Nadam(keras.optimizers.schedules.ExponentialDecay(0.01, 100, 0.9))
Nadam(lambda: 0.01, beta_1=lambda: 0.9, beta_2=lambda: 0.999)
Nadam(0.01, 0.9, 0.999, 1e-7, 1.0, None, None, True, 0.99, 10, True, 'mine')
Nadam(clipvalue=1, global_clipnorm=None, weight_decay=0.01, gradient_accumulation_steps=4, loss_scale_factor=2.0**15)
Nadam(momentum_decay=float('inf'), fused=None, nonfinite='skip', ema_overwrite_frequency=None)

Nadam(sparse_update='lazy', state_dtype='bfloat16', stochastic_rounding=True, seed=3, rate_multipliers={'dense': 0.5})
Nadam(shard_state=True)

# Methods, and what they return
optimizer = Nadam()
model.compile(optimizer, loss='mse')
optimizer.build(weights)
optimizer.apply(grads, weights)
optimizer.apply_gradients(zip(grads, weights))
optimizer.apply_gradients(list(zip(grads, weights)))
optimizer.minimize(lambda: tf.constant(0.), weights)
optimizer.learning_rate = 0.1
config: dict[str, object] = optimizer.get_config()
again: Nadam = Nadam.from_config(optimizer.get_config())
taken: Nadam = Nadam.from_keras(keras.optimizers.Nadam())

# What the contract refuses
Nadam('fast')  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
Nadam(beta_1=None)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
Nadam(clipnorm='1')  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
Nadam(use_ema='yes')  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
Nadam(name=3)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
Nadam(fused='always')  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
Nadam(nonfinite='ignore')  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
Nadam(sparse_update='rows')  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
Nadam(state_dtype='float16')  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
Nadam(rate_multipliers=[1.0])  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
optimizer.build(3)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
