"""The provider's page: the demo people by tenant, and a field for anyone else."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from html import escape

from starlette.responses import Response

from tenantry.web.development.pages import page

TITLE = "Sign in · Tenantry development provider"
_BRAND = '<p class="brand">Tenantry · development provider</p>'


@dataclass(frozen=True, slots=True)
class DemoPerson:
    """Someone to be, as a member of one tenant; the same address may come once for each tenant."""

    email: str
    name: str
    tenant: str
    roles: tuple[str, ...]


def sign_in_page(
    people: Sequence[DemoPerson], *, action: str, fields: Mapping[str, str], client_origin: str
) -> Response:
    """The form; ``fields`` travel with it, and its answer may lead to ``client_origin`` only."""
    hidden = "".join(
        f'<input type="hidden" name="{escape(name)}" value="{escape(value)}">'
        for name, value in fields.items()
    )
    form = f'<form method="post" action="{escape(action)}">{hidden}'
    tenants = dict.fromkeys(person.tenant for person in people)
    groups = "".join(_group(tenant, [item for item in people if item.tenant == tenant]) for tenant in tenants)
    body = (
        f"{_BRAND}<h1>Who do you want to be?</h1>"
        '<p class="soft">No password: this provider runs on this machine only, and lets anyone be anyone. '
        "The roles are those that the demo begins with.</p>"
        f"{form}{groups}</form><h2>Someone else</h2>"
        f'{form}<div class="other"><input type="email" name="email" required maxlength="254" '
        'autocomplete="off" placeholder="name@example.com" aria-label="E-mail address">'
        "<button>Continue</button></div></form>"
        '<p class="soft">Any address, for example one that you have just invited.</p>'
    )
    return page(TITLE, body, form_action=f"'self' {client_origin}")


def refusal_page(message: str) -> Response:
    """A page for what must not be sent back to the client."""
    body = f'{_BRAND}<h1>This cannot be done</h1><p class="notice">{escape(message)}</p>'
    return page(TITLE, body, status=400)


def _group(tenant: str, people: Sequence[DemoPerson]) -> str:
    return f'<h2>{escape(tenant)}</h2><div class="people">{"".join(_person(item) for item in people)}</div>'


def _person(person: DemoPerson) -> str:
    return (
        f'<button class="person" name="email" value="{escape(person.email)}"><span class="who">'
        f'<span class="name">{escape(person.name)}</span>'
        f'<span class="soft">{escape(person.email)}</span></span>'
        f'<span class="roles">{escape(", ".join(person.roles))}</span></button>'
    )
