"""The product's log, caught as it is written, and logging left afterwards as it was found."""

import io
import logging
from collections.abc import Generator
from contextlib import contextmanager

import pytest

from tenantry.settings import Settings
from tenantry.web.telemetry import configure_logging


@contextmanager
def logging_kept() -> Generator[None]:
    """Whatever the block does to the root logger is undone."""
    handlers, level = logging.root.handlers[:], logging.root.level
    try:
        yield
    finally:
        logging.root.handlers[:], logging.root.level = handlers, level


@pytest.fixture
def log() -> Generator[io.StringIO]:
    """All that is logged, as in production and from DEBUG on."""
    written = io.StringIO()
    settings = Settings.model_validate({"environment": "production", "log_level": "DEBUG"})
    with logging_kept():
        configure_logging(settings, stream=written)
        yield written
