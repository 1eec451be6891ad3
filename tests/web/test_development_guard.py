"""What is handy in development does not start anywhere else."""

import pytest

from tenantry.settings import Environment, Settings
from tenantry.web.development.guard import DevelopmentOnly, is_loopback, require_development

HERE = {"environment": Environment.DEVELOPMENT, "host": "127.0.0.1", "public_url": "http://localhost:8000"}


def settings(**changes: object) -> Settings:
    return Settings.model_validate({**HERE, **changes})


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "::1", "127.0.0.53"])
def test_a_developer_s_machine_may(host: str) -> None:
    assert is_loopback(host)
    require_development(settings(host=host))


@pytest.mark.parametrize(
    ("changes", "setting"),
    [
        ({"environment": Environment.PRODUCTION}, "TENANTRY_ENVIRONMENT"),
        ({"host": "0.0.0.0"}, "TENANTRY_HOST"),  # noqa: S104 - the one that must be refused
        ({"host": "::"}, "TENANTRY_HOST"),
        ({"host": "dev.example"}, "TENANTRY_HOST"),
        ({"public_url": "https://id.example"}, "TENANTRY_PUBLIC_URL"),
        ({"public_url": "http://localhost.evil.example"}, "TENANTRY_PUBLIC_URL"),
    ],
)
def test_elsewhere_it_says_which_setting_forbids_it(changes: dict[str, object], setting: str) -> None:
    with pytest.raises(DevelopmentOnly, match=setting) as refusal:
        require_development(settings(**changes))
    assert refusal.value.setting == setting
