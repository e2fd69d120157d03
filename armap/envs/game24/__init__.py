"""Game of 24: the environment, its tasks and its grading."""
