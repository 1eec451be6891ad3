"""The plugins of every run; fixtures live with the tests that use them, machinery in `support`."""

pytest_plugins = [
    "tests.support.requirements",
    "tests.support.coverage_floors",
    "tests.support.database",
    "tests.support.rows",
    "tests.support.outages",
    "tests.support.providers",
    "tests.support.caches",
    "tests.support.chromium",
    "tests.support.api",
    "tests.support.logs",
    "tests.support.server",
    "tests.support.command_line",
]
