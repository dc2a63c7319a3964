"""The command line: `triage …` and the options of `train.py`, with tables and progress bars."""

from triage.cli.commands import app, main
from triage.cli.training import Progress, TrainingOptions, run_training

__all__ = ["Progress", "TrainingOptions", "app", "main", "run_training"]
