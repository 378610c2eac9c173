"""Change one thing at a time in the package, and see whether a test fails: `python tools/mutate.py --sample 100`.

A mutant is a module with one operator, comparison, constant or condition changed. The tests are the cells of the notebooks in `TESTS`; they
run in a process that is forked from a warm one, which has imported the backend but not used it. A mutant that no test fails for must be among
those that `nbs/proof/mutation.json` gives a reason for. Mutants are named by what they change, and a sample is drawn by a hash of the names,
so that nothing depends on lines. `--record` writes the result to that file; `--modules engines/lists` runs on PyTorch, which the rest need not.
"""
import argparse, ast, datetime, hashlib, importlib, json, linecache, os, re, signal, subprocess, sys, time
from collections import Counter, namedtuple
from functools import cache
from importlib.machinery import SourceFileLoader
from importlib.metadata import version
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
FOUND = ROOT/'nbs/proof/mutation.json'
EVERYWHERE = 'backends'  # the page of the same tests on every backend
FAST = 'fast_tests'
HEAVY = 'a9c66f52', 'b8421284', '7a7ccc7e'  # cells that take seconds, and the figure of one; the fast tests show the same
TESTS = {  # module -> pages, in the order in which they are tried; after the name of a page, the tests that are called
    'rule': ('01_rule', f'{FAST} scalars'), 'clip': ('02_clip', f'{FAST} clipping'), 'ema': ('03_ema',),
    'arguments': ('04_arguments', f'{FAST} table defaults names callables'), 'rounding': ('06a_rounding', f'{FAST} random_rounding random_rows'),
    'gradients': ('07_gradients', f'{FAST} sparse_forms rows', f'{EVERYWHERE} missing integers atomic sparse_refused lookup sparse'),
    'engines/one_by_one': ('08_engines', f'{FAST} rows_and_policies rows random_rows ways random_rounding', f'{EVERYWHERE} update_step averages'),
    'engines/fused': ('08a_fused', f'{FAST} rows ways random_rounding', f'{EVERYWHERE} lookup loop'),
    'engines/replicas': ('08b_replicas',), 'engines/lists': ('08c_lists', f'{FAST} frozen stateless random_rounding ways'),
    'state': ('09a_state', f'{FAST} changed rows ways random_rounding', f'{EVERYWHERE} missing scale callables rates lookup late atomic update_step '
              'integers constraint averages accumulation moving')}
OWN = {pages[0] for pages in TESTS.values()}  # the page that makes the module; its tests see all of the module's names
BINARY = {ast.Add: ast.Sub, ast.Sub: ast.Add, ast.Mult: ast.Div, ast.Div: ast.Mult, ast.FloorDiv: ast.Mult, ast.Mod: ast.FloorDiv,
          ast.Pow: ast.Mult, ast.BitXor: ast.BitAnd, ast.BitAnd: ast.BitOr, ast.BitOr: ast.BitAnd}
COMPARED = {ast.Lt: ast.LtE, ast.LtE: ast.Lt, ast.Gt: ast.GtE, ast.GtE: ast.Gt, ast.Eq: ast.NotEq, ast.NotEq: ast.Eq, ast.Is: ast.IsNot,
            ast.IsNot: ast.Is, ast.In: ast.NotIn, ast.NotIn: ast.In}
OPPOSITE = ast.Eq, ast.NotEq, ast.Is, ast.IsNot, ast.In, ast.NotIn
BLOCKS = ast.Module, ast.FunctionDef, ast.ClassDef, ast.For, ast.If, ast.With, ast.Try, ast.While, ast.arguments
IMPORTS = 'hypothesis', 'matplotlib.pyplot', 'nbdev.showdoc', 'fastcore.test', 'IPython.display', 'sklearn'
Mutant = namedtuple('Mutant', 'module function change source')

def other(x):
    "Another constant of the same kind; `None` where there is none worth a try."
    if isinstance(x, bool): return not x
    if isinstance(x, int): return x + 1
    if isinstance(x, float): return 2*x or 1.
    if isinstance(x, str) and re.fullmatch(r'[\w.]+', x): return x + '_'

def changes(node):
    "What a node of a syntax tree can become, one change in each: (field, new value)."
    each = lambda items, new: ([*items[:i], new(x), *items[i + 1:]] for i,x in enumerate(items))
    negated = lambda test: isinstance(test, ast.Compare) and isinstance(test.ops[0], OPPOSITE)  # the change of the comparison says the same
    no = lambda test: test.operand if isinstance(test, ast.UnaryOp) and isinstance(test.op, ast.Not) else ast.UnaryOp(ast.Not(), test)
    if isinstance(node, (ast.BinOp, ast.AugAssign)) and type(node.op) in BINARY: yield 'op', BINARY[type(node.op)]()
    if isinstance(node, ast.UnaryOp) and not isinstance(node.op, ast.Not): yield 'op', ast.UAdd()
    if isinstance(node, ast.BoolOp): yield 'op', (ast.Or if isinstance(node.op, ast.And) else ast.And)()
    if isinstance(node, ast.Compare): yield from (('ops', ops) for ops in each(node.ops, lambda op: COMPARED[type(op)]()))
    if isinstance(node, ast.Constant) and other(node.value) is not None: yield 'value', other(node.value)
    if isinstance(node, (ast.If, ast.IfExp, ast.While)) and not negated(node.test): yield 'test', no(node.test)
    if isinstance(node, ast.comprehension): yield from (('ifs', ifs) for ifs in each(node.ifs, no))

def sites(node, above=(), function='', constants=frozenset()):
    "All nodes, each with those above it and the function that it stands in; without texts, annotations and imports."
    yield node, above, function
    for field,value in ast.iter_fields(node):
        for child in value if isinstance(value, list) else [value]:
            text = isinstance(child, ast.JoinedStr) or (isinstance(child, ast.Expr) and isinstance(child.value, ast.Constant))
            names = isinstance(child, ast.Assign) and ast.unparse(child.targets[0]) == '__all__'
            if not isinstance(child, ast.AST) or text or names or field in ('annotation', 'returns'): continue
            named = isinstance(child, (ast.FunctionDef, ast.ClassDef))
            yield from sites(child, (*above, node), f'{function}.{child.name}'.strip('.') if named else function)

def shown(node, above):
    "The code around a node: enough to tell it from others."
    text = lambda x: f'if {ast.unparse(x.test)}' if isinstance(x, (ast.If, ast.While)) else ast.unparse(x)
    view = node
    for x in reversed(above):
        if isinstance(x, BLOCKS) or len(text(view)) > 30 or len(text(x)) > 100: break
        view = x
    return lambda: text(view).strip()

def mutants(module, wanted=()):
    "All mutants of a module; those whose number is wanted have a source."
    tree, seen, found = ast.parse((ROOT/f'nadam_nb/{module}.py').read_text(encoding='utf-8')), Counter(), []
    for node,above,function in sites(tree):
        code = shown(node, above)
        before = code()
        for field,new in changes(node):
            old = getattr(node, field)
            setattr(node, field, new)
            change = f'{before} → {code()}'
            seen[function, change] += 1
            if seen[function, change] > 1: change += f' ({seen[function, change]})'
            found.append(Mutant(module, function, change, ast.unparse(tree) if len(found) in wanted else ''))
            setattr(node, field, old)
    return found

def draw(modules, size, seed, again=()):
    "Mutants drawn by the hash of their names; all if `size` is 0; only some `again`. And the number of mutants of each module."
    everything = [(m, i) for module in modules for i,m in enumerate(mutants(module))]
    of = Counter(m.module for m,_ in everything)
    if again: everything = [(m, i) for m,i in everything if m[:3] in again]
    order = lambda x: hashlib.sha256(f'{seed} {x[0][:3]}'.encode()).digest()
    chosen = sorted(everything, key=order)[:size or None]
    found = {module: {i for m,i in chosen if m.module == module} for module in modules}
    return [m for module,wanted in found.items() for m in mutants(module, wanted) if m.source], of

def cells(page):
    "Sources of the cells of a page that test something on this backend, by id."
    page, *tests = page.split()
    if page == FAST:
        yield 'all', (ROOT/'tools/fast_tests.py').read_text(encoding='utf-8').partition("if __name__ == '__main__'")[0]
        yield from ((test, f'{test}()') for test in tests)
        return
    path = next(p for folder in ('inside', 'proof') for p in (ROOT/'nbs'/folder).glob(f'{page}.ipynb'))
    left_out = r'(?m)^#\|\s*(exporti?s?|default_exp|devices|gpu|slow' + ('' if page == '08c_lists' else '|peers') + r')\b|nbdev_export'
    for cell in json.loads(path.read_text(encoding='utf-8'))['cells']:
        source = ''.join(cell['source'])
        if cell['cell_type'] != 'code' or cell['id'] in HEAVY or re.search(left_out, source) or (tests and '# every backend' not in source): continue
        yield cell['id'], re.sub(r'(?m)^(\s*)[%!].*$', r'\1pass', source)
    yield from ((test, f'{test}()') for test in tests)

def compiled(source, path):
    "Code whose source can be looked up, as AutoGraph does."
    linecache.cache[path] = len(source), None, source.splitlines(True), path
    return compile(source, path, 'exec')

def plant(name, source):
    "Let the import system find this source in place of the module's own."
    original = SourceFileLoader.get_code
    def get_code(self, wanted): return compiled(source, f'<{name}>') if wanted == name else original(self, wanted)
    SourceFileLoader.get_code = get_code

def failure(module, source, pages):
    "The first failure of the tests on some pages, as text; '' if there is none."
    name = 'nadam_nb.' + module.replace('/', '.')
    plant(name, source)
    for page in pages:
        space, at = {'__name__': '__main__', 'display': lambda *_, **__: None}, 'import'
        os.chdir(ROOT/'nbs'/('proof' if EVERYWHERE in page else 'inside'))
        try:
            if page in OWN: space = {**vars(importlib.import_module(name)), **space}
            for at,cell in cells(page): exec(compiled(cell, f'<{page} {at}>'), space)
        except BaseException as e: return f'{page} {at} {type(e).__name__}: {e}'.partition('\n')[0][:200]
    return ''

def forked(module, source, pages, limit):
    "How the tests ended, and how many seconds of the processor they took: in a process that stops after a time limit."
    reader, writer = os.pipe()
    if not (child := os.fork()):
        for stream in 1, 2: os.dup2(os.open(os.devnull, os.O_WRONLY), stream)
        signal.setitimer(signal.ITIMER_PROF, limit)
        signal.alarm(int(20*limit))
        os.write(writer, failure(module, source, pages).encode() or b'survived')
        os._exit(0)
    os.close(writer)
    with open(reader, encoding='utf-8') as said: end = said.read() or 'stopped'
    used = os.wait4(child, 0)[2]
    return end, used.ru_utime + used.ru_stime

def warm(modules):
    "Import what the tests import."
    os.environ.update(KERAS_BACKEND='torch' if 'engines/lists' in modules else 'tensorflow', TF_CPP_MIN_LOG_LEVEL='3', MPLBACKEND='agg')
    sys.path.insert(0, str(ROOT))
    for name in ('keras', os.environ['KERAS_BACKEND'], *IMPORTS): importlib.import_module(name)

@cache
def limit(module):
    "Seconds that the tests of a mutant may take: three times what they take on the module as it is, written anew like a mutant; they must pass."
    same = ast.unparse(ast.parse((ROOT/f'nadam_nb/{module}.py').read_text(encoding='utf-8')))
    end, seconds = forked(module, same, TESTS[module], 300)
    if end != 'survived': sys.exit(f'{module}, without any change: {end}')
    return 10 + 3*seconds

def record(before, of, tried, alive, again):
    "Write what was found so far to the file, with the reasons that it has already."
    reasons, numbers = {name(x): x['reason'] for x in before['survivors']}, Counter(m.module for m in tried)
    commit = subprocess.run(['git', 'rev-parse', '--short', 'HEAD'], cwd=ROOT, capture_output=True, text=True).stdout.strip()
    versions = {x: version(x) for x in ('keras', os.environ['KERAS_BACKEND'], 'numpy')}
    rows = {module: dict(all=of[module], tried=before['modules'][module]['tried'] if again else n, commit=commit, date=str(datetime.date.today()),
                         survived=sum(x['module'] == module for x in alive), versions=versions) for module,n in numbers.items()}
    others = [x for x in before['survivors'] if x['module'] not in rows]
    after = dict(modules={**before['modules'], **rows}, survivors=others + [{**x, 'reason': reasons.get(name(x), '')} for x in alive])
    FOUND.write_text(json.dumps(after, indent=1, ensure_ascii=False) + '\n', encoding='utf-8')

def name(x): return x['module'], x['function'], x['change']

def main():
    take = argparse.ArgumentParser()
    take.add_argument('--modules', nargs='*', default=[x for x in TESTS if x not in ('engines/lists', 'state')])
    take.add_argument('--sample', type=int, default=0, help='how many mutants; 0: all')
    take.add_argument('--seed', type=int, default=0)
    take.add_argument('--again', action='store_true', help='only those that survived according to the file')
    take.add_argument('--record', action='store_true')
    take.add_argument('--verbose', action='store_true')
    args, before = take.parse_args(), json.loads(FOUND.read_text(encoding='utf-8')) if FOUND.exists() else dict(modules={}, survivors=[])
    start, again = time.time(), {name(x) for x in before['survivors']} if args.again else ()
    chosen, of = draw(args.modules, args.sample, args.seed, again)
    ends, alive = [], []
    warm(args.modules)
    for m in chosen:
        end, seconds = forked(m.module, m.source, TESTS[m.module], limit(m.module))
        ends.append(end)
        if end == 'survived': alive.append(dict(module=m.module, function=m.function, change=m.change))
        if args.record: record(before, of, chosen[:len(ends)], alive, again)
        if args.verbose or end == 'survived': print(f'{m.module} {m.function}: {m.change}\n  {end} ({seconds:.1f} s)', flush=True)
    print(f'{len(chosen)} of {of.total()} mutants: {len(chosen) - len(alive)} killed, {ends.count("stopped")} of them by the time limit; '
          f'{time.time() - start:.0f} s')
    if args.record: return
    known = {name(x) for x in before['survivors'] if x['reason']}
    lost = [x for x in alive if name(x) not in known]
    for x in lost: print('No test fails for', *name(x), sep='\n  ')
    return bool(lost)

if __name__ == '__main__': sys.exit(main())
