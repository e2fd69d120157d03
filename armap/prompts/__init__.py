"""What a policy is told, and how its reply is read.

Templates are text files next to this module. A prompt is append-only along an episode: the
task comes first, every later turn is added behind, so prefix caches stay warm.
"""

from armap.prompts.dialogue import digest, failed_attempt, first_message, reflection, render
from armap.prompts.parsing import PARSERS, parse

__all__ = [
    "PARSERS",
    "digest",
    "failed_attempt",
    "first_message",
    "parse",
    "reflection",
    "render",
]
