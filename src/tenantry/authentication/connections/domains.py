"""Domains of e-mail addresses: one spelling of each, and the proof that one is a tenant's."""

from email_validator import EmailNotValidError, validate_email

from tenantry.kernel.errors import BadUserInput

RECORD = "_tenantry"
VALUE = "tenantry-verification="


def checked_domain(domain: str) -> str:
    """The domain in lower case and ASCII (IDNA 2008, RFC 5891). Raises ``BadUserInput``."""
    found = _ascii(domain.strip())
    if found is None:
        raise BadUserInput("Some input cannot be taken.", {"domain": "is no domain of e-mail addresses"})
    return found


def domain_of(email: str) -> str | None:
    """The domain of an address, spelled as ``checked_domain`` does; None where it is no address."""
    _, at, domain = email.rpartition("@")
    return _ascii(domain) if at else None


def record_name(domain: str) -> str:
    """Where the TXT record is to stand."""
    return f"{RECORD}.{domain}"


def record_value(token: str) -> str:
    """What it is to hold."""
    return f"{VALUE}{token}"


def _ascii(domain: str) -> str | None:
    try:
        return validate_email(f"a@{domain}", check_deliverability=False).ascii_domain.lower()
    except EmailNotValidError:
        return None
