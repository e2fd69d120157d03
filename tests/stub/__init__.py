"""The project's own stub of an OpenAI-compatible server: counts, waits, fails as told.

In a test, in this process::

    async with StubServer(Settings(latency=0.05)) as stub:
        ...  # stub.url, stub.requests, stub.peak

As a process: ``python -m tests.stub --port 0 --latency-ms 50`` prints ``listening on PORT``.
"""

from tests.stub.server import Request, StubServer
from tests.stub.settings import Fault, Settings

__all__ = ["Fault", "Request", "Settings", "StubServer"]
