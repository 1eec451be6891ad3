"""The build hook: a wheel carries the built GraphiQL, an editable install builds nothing."""

from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

BUNDLE = Path("src/tenantry/web/static/graphiql/index.html")


class BundleHook(BuildHookInterface):
    """Refuses to make a wheel that would serve an empty GraphiQL."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Look for the bundle; `make wheel` builds it first."""
        del build_data
        if version != "editable" and not (Path(self.root) / BUNDLE).is_file():
            message = f"{BUNDLE} is not built; run `make wheel`, which builds it first"
            raise FileNotFoundError(message)
