"""Check what this project asks of its code, module by module and cell by cell; print every violation: `python tools/check_code.py`.

Function bodies have at most 25 lines, docstring apart; lines have at most 120 columns (but for `__all__` and the options of cells, which nbdev does not break); no class of ours stands below another of ours,
but for `Nadam` below `Optimizer`; every cell that exports functions is followed by prose or a test before the next one.
"""
import ast, json, re, sys
from pathlib import Path

BODY, COLUMNS, PAIRS = 25, 120, {('Nadam', 'Optimizer')}
FUNCTION, DEFINITION = (ast.FunctionDef, ast.AsyncFunctionDef), (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)

def parse(source):
    "The syntax tree of a module or cell, magics left out; None if it is not Python."
    try: return ast.parse(re.sub(r'(?m)^(\s*)[%!].*$', r'\1pass', source))
    except SyntaxError: return None

def bodies(tree):
    "Functions that are too long: (line, what)."
    for node in ast.walk(tree):
        if not isinstance(node, FUNCTION): continue
        first = node.body[1:] if ast.get_docstring(node) is not None else node.body
        lines = node.end_lineno - first[0].lineno + 1 if first else 0
        if lines > BODY: yield node.lineno, f'the body of {node.name} has {lines} lines; {BODY} are allowed'

def long_lines(text):
    "Lines that are too long: (line, what)."
    for n, line in enumerate(text.splitlines(), 1):
        if len(line) > COLUMNS and not line.startswith(('__all__', '#|')): yield n, f'{len(line)} columns; {COLUMNS} are allowed'

def towers(tree, ours):
    "Classes of ours below another of ours: (line, what)."
    for node in ast.walk(tree):
        if not isinstance(node, ast.ClassDef): continue
        bases = [base.attr if isinstance(base, ast.Attribute) and ast.unparse(base) != 'keras.optimizers.Optimizer' else getattr(base, 'id', None)
                 for base in node.bases]
        yield from ((node.lineno, f'{node.name} inherits from {base}, a class of ours') for base in bases
                    if base in ours and (node.name, base) not in PAIRS)

def says(cell):
    "Is the cell prose, or a test or an example?"
    source = ''.join(cell['source'])
    if cell['cell_type'] == 'markdown': return bool(re.sub(r'(?m)^#.*$', '', source).strip())
    code = re.sub(r'(?m)^\s*(#.*|(from|import) .*|show_doc\(.*)$', '', source)
    return cell['cell_type'] == 'code' and not exported(cell) and bool(code.strip())

def exported(cell):
    return cell['cell_type'] == 'code' and bool(re.search(r'(?m)^#\|\s*exporti?s?\b', ''.join(cell['source'])))

def bare(cells):
    "Cells with exported functions that nothing follows: (cell, what)."
    waiting = None
    for cell in cells:
        if says(cell): waiting = None
        tree = parse(''.join(cell['source'])) if exported(cell) else None
        names = [node.name for node in tree.body if isinstance(node, DEFINITION)] if tree else []
        if names and waiting: yield waiting[0], f'{", ".join(waiting[1])} followed by neither prose nor a test before {names[0]}'
        if names: waiting = (cell.get('id'), names) if any(isinstance(node, FUNCTION) for node in tree.body) else None
    if waiting: yield waiting[0], f'{", ".join(waiting[1])} followed by neither prose nor a test'

def check_module(path, ours):
    text = path.read_text(encoding='utf-8')
    tree = ast.parse(text)
    yield from ((f'{path}:{line}', what) for line, what in sorted([*bodies(tree), *long_lines(text), *towers(tree, ours)]))

def check_notebook(path):
    cells = json.loads(path.read_text(encoding='utf-8'))['cells']
    for cell in cells:
        found = long_lines(''.join(cell['source'])) if cell['cell_type'] == 'code' else ()
        yield from ((f'{path}, cell {cell.get("id")}, line {line}', what) for line, what in found)
    yield from ((f'{path}, cell {at}', what) for at, what in bare(cells))

def main(root=Path()):
    modules = sorted(path for path in (root/'nadam_nb').rglob('*.py') if path.name != '_modidx.py')
    modules += sorted(root.glob('nadam_nb*.py'))
    notebooks = sorted(path for path in (root/'nbs').rglob('*.ipynb') if '.ipynb_checkpoints' not in path.parts)
    ours = {node.name for path in modules for node in ast.walk(ast.parse(path.read_text(encoding='utf-8'))) if isinstance(node, ast.ClassDef)}
    faults = [fault for path in modules for fault in check_module(path, ours)]
    faults += [fault for path in notebooks for fault in check_notebook(path)]
    for where, what in faults: print(f'{where}: {what}')
    print(f'{len(modules)} modules and {len(notebooks)} notebooks checked, {len(faults) or "no"} violations')
    return bool(faults)

if __name__ == '__main__': sys.exit(main())
