"""The command line: it reads arguments, starts runs and draws progress, nothing else."""
