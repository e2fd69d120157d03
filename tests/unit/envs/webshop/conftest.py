"""A small shop that is written once."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.shops import write_shop


@pytest.fixture(scope="session")
def shop_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_shop(tmp_path_factory.mktemp("shop"))
