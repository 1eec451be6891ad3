"""A person's authenticator: set up over the wire, it shows codes by the product's clock."""

from dataclasses import dataclass, field

from pyotp.totp import TOTP

from tests.support.api import Product, Speaker
from tests.support.clocks import MovableClock

ENROLL = """mutation { totpEnroll { __typename ... on TotpEnrolled { secret uri svg }
    ... on Problem { code message } } }"""
CONFIRM = """mutation($code: String!) { totpConfirm(input: {code: $code}) { __typename
    ... on TotpConfirmed { recoveryCodes } ... on FactorRejected { triesLeft } ... on Problem { code } } }"""
STEP_UP = """mutation($code: String!) { stepUp(code: $code) { __typename ... on SteppedUp { factorAt }
    ... on FactorRejected { triesLeft } ... on Problem { code } } }"""
PERIOD = 30


@dataclass
class Authenticator:
    """Shows the codes of one secret."""

    secret: str = field(repr=False)
    clock: MovableClock
    recovery_codes: list[str] = field(default_factory=list[str], repr=False)

    def shown(self, *, steps: int = 0) -> str:
        """What it shows now; or so many steps later, or earlier."""
        return TOTP(self.secret).at(self.clock(), counter_offset=steps)

    def next(self) -> str:
        """A code that has not been used: half a minute passes."""
        self.clock.forward(PERIOD)
        return self.shown()

    def wrong(self) -> str:
        """A code that is none of these days."""
        taken = {self.shown(steps=step) for step in range(-3, 4)}
        return next(code for code in (f"{number:06}" for number in range(10)) if code not in taken)


async def draft(product: Product, speaker: Speaker) -> Authenticator:
    """An authenticator of this caller's, not yet confirmed."""
    made = (await speaker.query(ENROLL))["totpEnroll"]
    return Authenticator(made["secret"], product.clock)


async def set_up(product: Product, speaker: Speaker) -> Authenticator:
    """An authenticator of this caller's, confirmed: the session has proved it now."""
    made = await draft(product, speaker)
    answer = (await speaker.query(CONFIRM, code=made.shown()))["totpConfirm"]
    made.recovery_codes = answer["recoveryCodes"]
    return made
