"Everything that describes the package stands in settings.ini; this file hands it to setuptools."
from configparser import ConfigParser
from pathlib import Path
from setuptools import find_packages, setup

config = ConfigParser(delimiters='=')
config.read(Path(__file__).with_name('settings.ini'), encoding='utf-8')
cfg = config['DEFAULT']

setup(
    name=cfg['lib_name'], version=cfg['version'], description=cfg['description'], keywords=cfg['keywords'],
    author=cfg['author'], author_email=cfg['author_email'], url=cfg['git_url'],
    license='Apache-2.0', license_files=['LICENSE'],
    long_description=Path(__file__).with_name('README.md').read_text(encoding='utf-8'),
    long_description_content_type='text/markdown',
    packages=find_packages(include=['nadam_nb', 'nadam_nb.*']), py_modules=['nadam_nb_cli'],
    python_requires='>=' + cfg['min_python'],
    install_requires=cfg['requirements'].split(),
    extras_require={extra: cfg[extra + '_requirements'].split() for extra in ('lab', 'dev', 'peers')},
    entry_points={'console_scripts': cfg['console_scripts'].splitlines(),
                  'nbdev': [f"{cfg['lib_name']}={cfg['lib_path']}._modidx:d"]},
    classifiers=['Development Status :: 4 - Beta', 'Intended Audience :: Developers', 'Natural Language :: English']
                + [f'Programming Language :: Python :: 3.{minor}' for minor in range(10, 14)],
)
