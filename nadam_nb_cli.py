"""The commands `nadam-compare`, `nadam-bench` and `nadam-experiment`, as a shell sees them.

They stand outside the package because `import nadam_nb` imports Keras, which takes seconds; `--help` and the refusal of
wrong input do not wait for it. Written by hand; tested in nbs/lab/02_compare.ipynb.
"""
import codecs
import os
import signal
import sys
from importlib import import_module
from importlib.util import find_spec, module_from_spec

EXTRA = {'matplotlib': 'matplotlib', 'sklearn': 'scikit-learn', 'tqdm': 'tqdm'}  # module -> distribution
PLAIN = {'±': '+-', 'ψ': 'psi', 'μ': 'mu'}


def package():
    "Make `nadam_nb` importable without running its `__init__`: its modules are then imported one by one, when needed."
    if 'nadam_nb' not in sys.modules: sys.modules['nadam_nb'] = module_from_spec(find_spec('nadam_nb'))


def plain(error):
    "How characters are written that an output's encoding does not have."
    return ''.join(PLAIN.get(c, '?') for c in error.object[error.start:error.end]), error.end


def stop_at_once(name):
    "On Ctrl-C or `kill`, end with one line wherever the program is: an exception would get lost in a half-done import."
    def stop(number, frame):
        start = '\n' if sys.stderr.isatty() else ''  # a terminal has shown ^C
        os.write(sys.stderr.fileno(), f'{start}{name}: interrupted\n'.encode())
        os._exit(128 + number)
    for number in (signal.SIGINT, signal.SIGTERM): signal.signal(number, stop)


def run(name, module):
    "Run a command; its exit code."
    stop_at_once(name)
    codecs.register_error('plain', plain)
    for stream in (sys.stdout, sys.stderr): stream.reconfigure(errors='plain')
    missing = [distribution for found, distribution in EXTRA.items() if not find_spec(found)]
    if missing:
        print(f"{name}: error: {', '.join(missing)} not found: pip install 'nadam_nb[lab]'", file=sys.stderr)
        return 2
    package()
    try:
        try: code = import_module(f'nadam_nb.lab.{module}').main()
        except SystemExit as e: code = e.code
        sys.stdout.flush()
    except BrokenPipeError:  # the reader, such as `head`, has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        code = 141  # as if ended by SIGPIPE
    return code


def compare(): return run('nadam-compare', 'compare')
def bench(): return run('nadam-bench', 'benchmark')


def experiment():
    os.environ['KERAS_BACKEND'] = 'jax'  # the experiment is one JAX program
    return run('nadam-experiment', 'experiments')
