"""Is `help(Nadam)` what a user needs? Its docstring has the parts of Keras's form, each argument and each public method its words."""
import inspect, sys
from nadam_nb import Nadam

PARTS = 'Args:', 'Example', 'Reference'

def faults():
    text = inspect.getdoc(Nadam) or ''
    yield from (f'Nadam: the docstring has no {part!r}' for part in PARTS if part not in text)
    arguments = [name for name in inspect.signature(Nadam).parameters if name != 'kwargs']
    yield from (f'Nadam: the docstring does not explain `{name}`' for name in arguments if f'{name}:' not in text)
    for name, value in inspect.getmembers(Nadam):
        owner = next((base for base in Nadam.__mro__ if name in vars(base)), None)
        ours = owner and owner.__module__.startswith('nadam_nb') and not name.startswith('_')
        if ours and (callable(value) or isinstance(value, property)) and not inspect.getdoc(value): yield f'Nadam.{name}: no docstring'

if __name__ == '__main__':
    found = list(faults())
    print(*found, sep='\n')
    print(f'help(Nadam): {len(found) or "no"} faults')
    sys.exit(bool(found))
