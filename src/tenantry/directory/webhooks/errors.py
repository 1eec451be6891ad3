"""Refusals of webhooks."""

from tenantry.kernel.errors import Problem


class TooManyWebhooks(Problem):
    """The tenant has as many endpoints as it may."""

    code = "TOO_MANY_WEBHOOKS"

    def __init__(self, most: int) -> None:
        super().__init__(f"A tenant has at most {most} webhooks; delete one that is not needed.")
        self.most = most


class WebhookUrlNotUsable(Problem):
    """Nothing is sent to such a URL: it is no https address of the public internet."""

    code = "WEBHOOK_URL_NOT_USABLE"

    def __init__(self) -> None:
        super().__init__("A webhook's URL begins with https:// and leads to a public address.")
