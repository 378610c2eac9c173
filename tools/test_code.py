"Try `check_code.py` on a small project: what must pass, and what must not. Run as `python tools/test_code.py`."
import io, json, tempfile
from contextlib import redirect_stdout
from pathlib import Path

from check_code import main

FINE = ['# Title', '#| export\ndef double(x):\n    "Twice."\n    return 2*x', 'Doubling is adding.', '#| export\ndef half(x): return x/2',
        '#| hide\nassert half(2) == 1', '#| export\nclass Optimizer: pass\n\nclass Nadam(Optimizer): pass\nclass Bad(Exception): pass']
LONG = 'def f():\n    "Doc."\n' + '    x = 1\n'*26
PLANTED = {LONG: 'the body of f has 26 lines', 'x = 1' + '0'*120: '125 columns', 'class Sub(Nadam): pass': 'Sub inherits from Nadam',
           'class Sub(m.Optimizer): pass': 'Sub inherits from Optimizer'}
BARE = {('#| export\ndef f(): pass', '#| export\ndef g(): pass', 'Prose.'): 'f followed by neither',
        ('#|export\ndef f(): pass', '## Heading'): 'f followed by neither',
        ('#| exports\ndef f(): pass', 'import os\nshow_doc(f)'): 'f followed by neither'}

def checked(cells, module):
    "What the check says of a project with these cells and this module, and whether it failed."
    kinds = ['code' if cell.startswith(('#|', 'def', 'import', 'x =')) else 'markdown' for cell in cells]
    notebook = {'cells': [{'cell_type': kind, 'id': str(n), 'source': cell} for n, (kind, cell) in enumerate(zip(kinds, cells))]}
    with tempfile.TemporaryDirectory() as folder, redirect_stdout(io.StringIO()) as said:
        for name in 'nadam_nb', 'nbs': (Path(folder)/name).mkdir()
        (Path(folder)/'nadam_nb/core.py').write_text(module)
        (Path(folder)/'nbs/core.ipynb').write_text(json.dumps(notebook))
        failed = main(Path(folder))
    return failed, said.getvalue()

module = '\n\n'.join(cell for cell in FINE if cell.startswith('#| export'))
failed, said = checked(FINE, module + '\n\n' + LONG.replace('    x = 1\n', '', 1))
assert not failed, said
for planted, message in PLANTED.items():
    failed, said = checked(FINE, module + '\n\n' + planted)
    assert failed and message in said and 'None' not in said, (planted, said)
for cells, message in BARE.items():
    failed, said = checked([*FINE, *cells], module)
    assert failed and message in said, (cells, said)
failed, said = checked([*FINE, 'x = 1' + '0'*120], module)
assert failed and 'core.ipynb, cell 6, line 1: 125 columns' in said, said
print(f'{len(PLANTED) + len(BARE) + 1} planted violations found')
