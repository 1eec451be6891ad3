"""The headers of every page that a browser opens here: one place, one strictness."""

from collections.abc import Mapping


def page_headers(content_security_policy: str, *, cache_control: str = "no-store") -> Mapping[str, str]:
    """The headers of one page; the policy is the whole of it, nothing is added."""
    return {
        "Content-Security-Policy": content_security_policy,
        "Cross-Origin-Opener-Policy": "same-origin",
        "Cross-Origin-Resource-Policy": "same-origin",
        "Referrer-Policy": "no-referrer",
        "X-Content-Type-Options": "nosniff",
        "X-Frame-Options": "DENY",
        "Cache-Control": cache_control,
    }
