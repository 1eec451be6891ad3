"""The real one: dnspython, by the machine's own name servers or by those given."""

from collections.abc import Sequence

from dns.asyncresolver import Resolver
from dns.exception import DNSException
from dns.rdtypes.ANY.TXT import TXT
from dns.resolver import NXDOMAIN, NoAnswer

from tenantry.dns.errors import DnsUnavailable
from tenantry.dns.port import Texts

SECONDS = 3.0
MAX_RECORDS = 100


def dns_texts(nameservers: Sequence[str] | None = None, *, port: int = 53) -> Texts:
    """Asks ``nameservers`` (addresses), or the machine's; an answer may take ``SECONDS``."""

    async def texts(name: str) -> Sequence[str]:
        try:
            resolver = Resolver(configure=nameservers is None)
            if nameservers is not None:
                resolver.nameservers = list(nameservers)
                resolver.port = port
            answer = await resolver.resolve(name, "TXT", lifetime=SECONDS, search=False)
        except (NXDOMAIN, NoAnswer):
            return []
        except (DNSException, OSError) as error:
            raise DnsUnavailable from error
        records = [record for record in answer if isinstance(record, TXT)]
        return [b"".join(record.strings).decode("latin-1") for record in records[:MAX_RECORDS]]

    return texts
