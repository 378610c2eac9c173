"Try `quarto` and `site-check` on a small project of their own: what must work, and what must fail. Run as `python tools/test_site.py`."
import json, os, re, shutil, subprocess, sys, tempfile
from pathlib import Path

import pypandoc

TOOLS = Path(__file__).resolve().parent
PIXEL = 'iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=='
HOME = r'''Adam [@kingma2015] and `double`. See [the page](tutorials/01_page.ipynb#there), inline $\beta_1$ and
$$\sqrt{v_t} + \epsilon$$ {#eq-root}

::: {.callout-tip}
## Nested
::: {.callout-note}
By @eq-root, @fig-dot and @tbl-two.
:::
:::

| a | b |
|---|---|
| 1 | 2 |

: Two numbers {#tbl-two}'''
BUILD = {'[gone](gone.ipynb)': 'dead link', r'$\frac{1$': 'TeX math', '[@nobody2000]': 'nobody2000', '@fig-none': 'unresolved', '@sec-x': 'no numbers',
         'word\n::: {.callout-tip': 'left over', '::: {.callout-note}\nopen': 'unclosed', '::: {.panel-tabset}\nx\n:::': 'not supported',
         '{{< video x >}}': 'left over', r'\begin{align}x\end{align}': 'left over'}
CHECK = {'<a href="gone.html">x</a>': 'dead link: gone.html', '<a href="core.html#gone">x</a>': 'dead anchor', '<img src="gone.png">': 'dead link: gone.png',
         '<img src="https://example.org/x.png">': 'loaded from another host', '<i id="use"></i><i id="use"></i>': 'id used 2 times',
         '<p>:::</p>': 'markup in the text: :::', '<p>$$x$$</p>': r'markup in the text: \$\$', '<p>@key</p>': 'markup in the text: @key',
         '<p style="width:900px">x</p>': r'9\d\d pixels wide in a window of 390', '<p style="height:40000px">x</p>': r'4\d{4} pixels tall',
         f'<img src="data:image/png;base64,{PIXEL}">': 'no alt text: data:', '<svg></svg>': 'no alt text: a drawing',
         '<p style="color:#777;background:#fff">x</p>': 'light: contrast 4.48, #777777 on #ffffff',
         '<details><summary>y</summary><p style="color:#7779;background:light-dark(#fff,#000)">x</p></details>': r'dark: contrast 2\.\d\d, #\w+ on #000000: x',
         '<a href="https://nadam-nb.github.io/demo/core.html#gone">x</a>': 'dead anchor: https', '<a href="/demo/gone.html">x</a>': 'dead link: /demo',
         '<a href="https://github.com/nadam-nb/demo/blob/main/gone.py">x</a>': 'dead link: https://github',
         '<a href="https://colab.research.google.com/github/nadam-nb/demo/blob/main/nbs/gone.ipynb">x</a>': 'dead link: https://colab',
         r'<math><annotation>\frac{1</annotation></math>': 'wrong', '<script>oops()</script>': 'console'}
FIGURE = {'output_type': 'display_data', 'metadata': {}, 'data': {'image/png': PIXEL, 'text/plain': '<Figure>'}}
STREAM = {'output_type': 'stream', 'name': 'stderr', 'text': '\r10%\r100%'}
NOTEBOOKS = {
    'index': ['# Demo\n> A demo', HOME, ('#| label: fig-dot\n#| fig-cap: "A dot."\n#| fig-alt: One dot\n#| code-fold: true\nplot()', FIGURE), ('#| echo: false\nprint(1)', STREAM)],
    '00_core': ['# Core\n> The function', ('#| default_exp core',), ('#| export\ndef double(x): # Twice `x`\n    "Return $2x$."\n    return 2*x',)],
    'tutorials/01_page': ['# A page\n> Below', '## There\n\nBack to [home](../index.ipynb), by `double`.']}
FILES = {'settings.ini': re.sub('(?m)^version = .*', 'version = 0.1.0', (TOOLS.parent/'settings.ini').read_text()).replace('nadam_nb', 'demo').replace('custom_sidebar = True', 'custom_sidebar = False'), 'demo/__init__.py': '', 'demo.egg-info/PKG-INFO': 'Name: demo\nVersion: 0.1\n',
         'demo.egg-info/entry_points.txt': '[nbdev]\ndemo = demo._modidx:d\n',
         'nadam_nb/__init__.py': ''}  # hides the real package, whose import takes seconds

def cell(content, n):
    if isinstance(content, str): return {'cell_type': 'markdown', 'id': f'c{n}', 'metadata': {}, 'source': content}
    return {'cell_type': 'code', 'id': f'c{n}', 'metadata': {}, 'source': content[0], 'outputs': content[1:], 'execution_count': None}

def write_project():
    for name, cells in NOTEBOOKS.items():
        kernel = {'kernelspec': {'name': 'python3', 'display_name': 'python3', 'language': 'python'}}
        FILES[f'nbs/{name}.ipynb'] = json.dumps({'cells': [cell(c, n) for n, c in enumerate(cells)], 'metadata': kernel, 'nbformat': 4, 'nbformat_minor': 5})
    for name, text in FILES.items():
        (root/name).parent.mkdir(parents=True, exist_ok=True)
        (root/name).write_text(text)
    yml = re.sub(r'text: "[\d.]+"', 'text: "0.1.0"', (TOOLS.parent/'_quarto.yml').read_text()).replace('nadam_nb', 'demo')
    (root/'nbs/_quarto.yml').write_text(yml)
    for name in 'references.bib', 'styles.css', 'theme.scss', 'favicon.svg', '404.ipynb': shutil.copy(TOOLS.parent/'nbs'/name, root/'nbs')
    (root/'nbs/site.lua').write_text((TOOLS.parent/'nbs/site.lua').read_text().replace('nadam_nb', 'demo'))
    (root/'CHANGELOG.md').touch()

def run(*command, cwd, fails=None):
    "Run a command that must succeed, or fail and say `fails`."
    env = {**os.environ, 'PATH': f'{TOOLS}:{Path(sys.executable).parent}:{os.environ["PATH"]}', 'PYTHONPATH': str(root)}
    done = subprocess.run(command, cwd=cwd, env=env, capture_output=True, text=True)
    said = done.stdout + done.stderr
    assert (done.returncode != 0) == bool(fails) and re.search(fails or '', said), f'{command}: exit {done.returncode}, wanted {fails!r}\n{said}'
    return said

def quarto_filter(fmt, text):
    "What site.lua makes of a page within Quarto, whose names for the project and the page are set here."
    wrapper = root/'quarto.lua'
    wrapper.write_text("quarto = {doc = {input_file = '/p/_proc/use/01_page.ipynb'}, project = {directory = '/p/_proc'}}\n"
                       f"return dofile '{root}/nbs/site.lua'")
    return subprocess.run([pypandoc.get_pandoc_path(), '-t', fmt, f'--lua-filter={wrapper}'], input=text, capture_output=True, text=True, check=True).stdout

def build():
    shutil.rmtree(root/'_proc', ignore_errors=True)
    (root/'README.md').unlink(missing_ok=True)
    run('nbdev_docs', cwd=root)
    made = [root/'README.md', *(root/'index_files').rglob('*.*'), *(root/'_docs').rglob('*.*')]
    return {path: path.read_bytes() for path in made}

with tempfile.TemporaryDirectory() as folder:
    root = Path(folder).resolve()
    write_project()
    run('nbdev_export', cwd=root)
    assert build() == build(), 'two builds differ'
    page, readme = root/'_docs/index.html', (root/'README.md').read_text()
    home = page.read_text()
    for part in ('"tutorials/page.html#there"', '"./core.html#double"', 'id="ref-kingma2015"', '>100%<', 'callout-note',
                 '>Equation\u00a01<', 'Figure\u00a01:', 'Table\u00a01:'):
        assert part in re.sub(r'[ \n]+', ' ', home), f'{part} is missing from the home page'
    for part in ('https://nadam-nb.github.io/demo/tutorials/page.html#there', '![One dot](https://raw.githubusercontent.com/nadam-nb/demo/main/index_files/figure-commonmark/fig-dot-output-1.png)', r'\sqrt{v_t}', '> [!TIP]'):
        assert part in readme, f'{part} is missing from README.md'
    run('site-check', cwd=root)
    page_link, figure = '[x](../lab/02a_b.ipynb#c)', '![](index_files/figure-commonmark/cell-2-output-1.png){fig-alt="A dot"}'
    assert 'colab.research.google.com/github/nadam-nb/demo/blob/main/nbs/use/01_page.ipynb' in quarto_filter('html', page_link)
    assert '02a_b.ipynb' in quarto_filter('html', page_link) and 'LNone' not in quarto_filter('html', '[source](https://x.org/a.py#LNone)')
    assert quarto_filter('gfm', figure).strip() == '![A dot](https://raw.githubusercontent.com/nadam-nb/demo/main/index_files/figure-commonmark/cell-2-output-1.png)'
    assert quarto_filter('gfm', '[x](lab/02a_b.ipynb#c)').strip() == '[x](https://nadam-nb.github.io/demo/lab/b.html#c)'

    proc = root/'_proc'
    source = (proc/'index.ipynb').read_text()
    changes = [('Adam ', text + '\n\nAdam ', message) for text, message in BUILD.items()] + [('code-fold: true', 'layout-ncol: 2', 'option not supported')]
    for old, new, message in changes:
        (proc/'index.ipynb').write_text(source.replace(*(json.dumps(text)[1:-1] for text in (old, new))))
        run('quarto', 'render', '--no-cache', cwd=proc, fails=f'index.ipynb: (?s:.)*{message}')
    run('quarto', 'preview', cwd=proc, fails='only the calls')

    page.write_text(home.replace('<h1>', ''.join(CHECK) + '<h1>').replace('>0.1.0<', '><'))
    core = root/'_docs/core.html'
    core.write_text(core.read_text().replace('id="double"', ''))
    said = run('site-check', cwd=root, fails='(?s)core.html: no anchor #double.*index.html: does not show the version 0.1.0')
    for planted, message in CHECK.items(): assert re.search(f'index.html: {message}', said), f'{planted} passed:\n{said}'

    build()
    (root/'README.md').write_text(readme + '[x](nbs/index.ipynb) ![](https://example.org/x.png) [y](https://nadam-nb.github.io/demo/gone.html)')
    for message in 'not absolute: nbs/index.ipynb', 'no alt text', 'dead link: https://nadam-nb.github.io/demo/gone.html':
        run('site-check', cwd=root, fails=f'README.md: {message}')
    (root/'README.md').write_text(readme)
    run('site-check', cwd=root)

    katex = re.search(r'url: (\S+)', (root/'nbs/_quarto.yml').read_text())[1]
    own = f'<meta name="generator" content="quarto-1.7.34"><script src="{katex}katex.min.js"></script><i id="cb1"></i><i id="cb1"></i>'
    page.write_text(home.replace('<h1>', own + '<h1>'))
    run('site-check', cwd=root)  # what is Quarto's own is let pass, and nothing else
    page.write_text(home.replace('<h1>', own + '<img src="https://example.org/x.png"><i id="double"></i><i id="double"></i><h1>'))
    for message in 'loaded from another host: https://example.org', 'id used 2 times: double': run('site-check', cwd=root, fails=f'index.html: {message}')
print(f'{len(changes) + len(CHECK) + 8} planted faults found, two builds equal')
