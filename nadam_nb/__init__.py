__version__ = "0.1.0"

from nadam_nb.optimizer import Nadam

__all__ = ['Nadam']
