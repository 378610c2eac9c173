"Run every notebook from top to bottom and compare its outputs with those that are committed."
import re, sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import nbformat
from nbclient import NotebookClient

NUMBER = re.compile(r'[+-]?\d+(?:[.,]\d+)*(?:e[+-]?\d+)?')  # in a cell marked volatile, only the text around them must agree


def outputs(cell):
    "What a cell shows, without what libraries write to stderr: texts as they are, pictures by their kind."
    shown, volatile = [], '#| volatile' in cell.source
    for out in cell.get('outputs', []):
        if out.output_type == 'stream' and out.name == 'stderr': continue
        data = {'stdout': out.text} if out.output_type == 'stream' else out.get('data', {})
        for kind in sorted(data):
            text = ''.join(data[kind]) if kind.startswith(('stdout', 'text/')) and 'image/png' not in data else ''
            text = re.sub(r'( at )?0x[0-9a-f]+|#L(\d+|None)\b', '', text)  # addresses, and lines of the source, which the docs build looks up anew
            if volatile: text = re.sub(r'\s+', ' ', NUMBER.sub('#', text))
            if kind == 'stdout' and shown and shown[-1][0] == kind: text = shown.pop()[1] + text  # printed in two parts, by timing
            shown.append((kind, text))
    return shown


def check(path):
    "Faults of one notebook: a list of lines."
    committed = nbformat.read(path, as_version=4)
    fresh = nbformat.read(path, as_version=4)
    faults = []
    try: NotebookClient(fresh, timeout=1200, coalesce_streams=True, kernel_name='python3', resources={'metadata': {'path': path.parent}}).execute()
    except Exception as e: return faults + [f'{path}: {e}']
    for old, new in zip(committed.cells, fresh.cells):
        if outputs(old) != outputs(new):
            faults.append(f'{path}: the committed output of cell {old.id} is not what it shows now\n  was: {outputs(old)}\n  is:  {outputs(new)}'[:2000])
    return faults


if __name__ == '__main__':
    paths = [Path(p) for p in sys.argv[1:]] or sorted(p for p in Path('nbs').rglob('*.ipynb') if '.ipynb_checkpoints' not in p.parts)
    with ThreadPoolExecutor(2) as pool: faults = [fault for found in pool.map(check, paths) for fault in found]
    print(*faults, sep='\n')
    print(f'{len(paths)} notebooks run, {len(faults)} faults')
    sys.exit(bool(faults))
