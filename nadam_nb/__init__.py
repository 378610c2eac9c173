__version__ = "0.1.0"

import os, sys

def __getattr__(name):
    if name != 'Nadam': raise AttributeError(f'module {__name__!r} has no attribute {name!r}')
    from nadam_nb.optimizer import Nadam
    return Nadam

# A command refuses wrong input before it imports TensorFlow (seconds, and lines on stderr); everyone else gets `Nadam`, registered, at once
if not os.path.basename(sys.argv[0]).startswith(('nadam-compare', 'nadam-bench')): from nadam_nb.optimizer import Nadam
