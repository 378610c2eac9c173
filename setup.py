"Everything that describes the package stands in settings.ini; this file hands it to setuptools."
from configparser import ConfigParser
from pathlib import Path
from setuptools import find_packages, setup

config = ConfigParser(delimiters='=')
config.read(Path(__file__).with_name('settings.ini'), encoding='utf-8')
cfg = config['DEFAULT']
blob = f"{cfg['git_url']}/blob/{cfg['branch']}"
minors = range(int(cfg['min_python'].split('.')[1]), 14)

setup(
    name=cfg['lib_name'], version=cfg['version'], description=cfg['description'], keywords=cfg['keywords'],
    author=cfg['author'], author_email=cfg['author_email'], url=cfg['git_url'],
    project_urls={'Documentation': cfg['doc_host'] + cfg['doc_baseurl'], 'Changelog': blob + '/CHANGELOG.md', 'Issues': cfg['git_url'] + '/issues'},
    license='Apache-2.0', license_files=['LICENSE'],
    long_description=Path(__file__).with_name('README.md').read_text(encoding='utf-8'),
    long_description_content_type='text/markdown',
    packages=find_packages(include=['nadam_nb', 'nadam_nb.*']), package_data={'nadam_nb': ['py.typed']},
    py_modules=[path.stem for path in Path(__file__).parent.glob('nadam_nb_*.py')],  # where the commands start
    python_requires='>=' + cfg['min_python'],
    install_requires=cfg['requirements'].split(),
    extras_require={key.removesuffix('_requirements'): cfg[key].split() for key in cfg if key.endswith('_requirements')},
    entry_points={'console_scripts': cfg['console_scripts'].splitlines(),
                  'nbdev': [f"{cfg['lib_name']}={cfg['lib_path']}._modidx:d"]},
    classifiers=['Development Status :: 4 - Beta', 'Intended Audience :: Developers', 'Intended Audience :: Science/Research',
                 'Natural Language :: English', 'Topic :: Scientific/Engineering :: Artificial Intelligence', 'Typing :: Typed']
                + [f'Programming Language :: Python :: 3.{minor}' for minor in minors],
)
