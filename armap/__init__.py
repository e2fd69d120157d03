"""Reward-model-guided planning for LLM agents.

Start a run from Python as the command line does::

    from armap.config import PlanRun, load_run
    from armap.run import start

The records are in :mod:`armap.types`, the five sockets in :mod:`armap.protocols`.
"""

__all__ = ["__version__"]

__version__ = "0.1.0"
