"""Record what the page of speed shows: `python tools/record_speed.py` writes nbs/proof/speed.json, within twelve minutes.

Before each case it waits until the machine is quiet (less than half a core at work), for a minute; then it leaves the case
out with a note. `--scale` writes nbs/proof/scale.json instead: thousands of variables and one of 200 million weights, which
takes longer. `--force` records on a busy machine, with a mark.
"""
import argparse, os, sys
from datetime import date
from pathlib import Path
from time import perf_counter

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))
from nadam_nb_cli import package  # noqa: E402

package()  # without `nadam_nb/__init__.py`, which imports Keras
from nadam_nb.lab.compare import save_results  # noqa: E402
from nadam_nb.lab.contenders import case_of  # noqa: E402
from nadam_nb.lab.rounds import Plan, busy, measure, new_results, note, quiet  # noqa: E402
from nadam_nb.lab.tables import report  # noqa: E402

DENSE = 'ours-graph optax keras-xla keras-graph limit'
TORCH = 'ours-torch ours-compiled torch-foreach adam-fused keras-torch limit-torch'
SPARSE = 'ours-graph ours-lazy by-hand keras-graph'
SPEED = [('small', DENSE + ' ours-eager keras-eager sgd', 70), ('mixed', DENSE + ' sgd', 60),
         ('large', DENSE + ' ours-eager keras-eager', 50), ('fit-transformer', 'ours-graph keras-graph sgd', 80),
         ('fit-transformer', 'ours-jax keras-jax', 60), ('small', TORCH, 30), ('large', TORCH, 35),
         ('small', 'ours-jax keras-jax', 30), ('embedding', SPARSE, 30), ('embedding-10k', SPARSE, 25),
         ('embedding-1M', SPARSE, 50), ('resnet50', DENSE, 60)]  # most important first; seconds, about
SCALE = [(case, f'ours-{on} keras-{on}', 0) for case in ('200M', 'thousands') for on in ('torch', 'jax', 'graph')]

def record(groups, path, minutes, forced):
    "Measure, and write the file after each group."
    end = perf_counter() + 60*minutes if minutes else float("inf")
    results = new_results(date=str(date.today()), repeats=9, budget=4., forced=forced)
    for case, contenders, seconds in groups:
        name = f'{case}, {contenders}'
        if perf_counter() + seconds > end: note(results, name, 'left out (no time left)'); continue
        if not forced and not quiet(): note(results, name, 'left out (the machine is busy)'); continue
        results['loads'][case] = max(busy(), results['loads'].get(case, 0.))
        plan = Plan(9, 4., end) if minutes else Plan(5, 4.)
        os.environ['OMP_WAIT_POLICY'] = 'passive'  # else torch's threads spin, and take the cores from others
        if contenders == TORCH: del os.environ['OMP_WAIT_POLICY']  # where there are no others
        measure(case, case_of(case), contenders.split(), results, plan)
        save_results(results, path)
        print(f'{name}: {end - perf_counter():.0f} s left' if minutes else name, flush=True)
    print(report(results))
    return int(any('left out' in line for line in results['notes']))

def main():
    p = argparse.ArgumentParser(description=__doc__.split('\n')[0])
    p.add_argument('--scale', action='store_true', help='the cases at scale')
    p.add_argument('--force', action='store_true', help='record on a busy machine, with a mark')
    p.add_argument('--only', nargs='+', metavar='CASE', help='only these cases')
    p.add_argument('--json', type=Path, metavar='FILE', help='write there')
    args = p.parse_args()
    groups = [g for g in (SCALE if args.scale else SPEED) if not args.only or g[0] in args.only]
    path = args.json or ROOT/'nbs/proof'/('scale.json' if args.scale else 'speed.json')
    return record(groups, path, 0 if args.scale else 11.5, args.force)

if __name__ == '__main__': sys.exit(main())
