"""Numbers for Prometheus, in a registry of our own.

Each worker counts for itself and answers with its own numbers. Give each worker an address that
the scraper can reach (one process for each container, say) and sum in Prometheus; behind one
shared address a scrape would see now this worker, now that one.
"""

from bisect import bisect_left
from collections.abc import Callable, Coroutine, Iterator
from enum import StrEnum
from itertools import accumulate

from prometheus_client import CollectorRegistry, Counter, Gauge, Metric
from prometheus_client.core import CounterMetricFamily, HistogramMetricFamily
from prometheus_client.exposition import CONTENT_TYPE_LATEST, generate_latest
from prometheus_client.registry import Collector
from starlette.requests import Request
from starlette.responses import Response

OPERATION_TYPES = ("query", "mutation", "subscription", "invalid")
"""``invalid``: a document that was refused before its type was known."""
OUTCOMES = ("ok", "partial", "refused", "failed")
SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0)

Endpoint = Callable[[Request], Coroutine[None, None, Response]]


class PlanEvent(StrEnum):
    """What happened to the cache of plans, sorted."""

    EVICTED = "evicted"
    HIT = "hit"
    MISS = "miss"


class Metrics:
    """Every number of one worker. Children are made here, so that counting one is one call."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry(auto_describe=True)
        self._operations = _Operations()
        self.registry.register(self._operations)
        plans = Counter(
            "tenantry_plan_cache", "The cache of compiled plans.", ("event",), registry=self.registry
        )
        self._plans = {str(event): plans.labels(event).inc for event in PlanEvent}
        self.audit_queue = Gauge(
            "tenantry_audit_queue", "Records that wait for the group commit.", registry=self.registry
        )
        self.followers = Gauge(
            "tenantry_followers", "Sockets and subscriptions that wait for an end.", registry=self.registry
        )
        self.listening = Gauge(
            "tenantry_listening", "1 while endings are heard at once.", registry=self.registry
        )
        self.cache_failures = Counter(
            "tenantry_cache_failures", "Times that Redis failed and was done without.", registry=self.registry
        )
        self.rate_limited = Counter(
            "tenantry_rate_limited", "Requests refused by a rate limit.", registry=self.registry
        )

    def operation(self, kind: str, outcome: str, seconds: float) -> None:
        """Count one answered operation: ``kind`` of OPERATION_TYPES, ``outcome`` of OUTCOMES."""
        self._operations.count(kind, outcome, seconds)

    def plan(self, event: PlanEvent) -> None:
        """Count one use of the cache of plans."""
        self._plans[event]()

    def render(self) -> bytes:
        """The text that Prometheus reads."""
        return generate_latest(self.registry)


class _Operations(Collector):
    """Counts and seconds of operations as plain numbers of one thread, put together when they are read.

    The library's own counters take a lock each, three times an operation.
    """

    def __init__(self) -> None:
        self._counts = {(kind, outcome): 0 for kind in OPERATION_TYPES for outcome in OUTCOMES}
        self._slots: dict[str, list[int]] = {kind: [0] * (len(SECONDS) + 1) for kind in OPERATION_TYPES}
        self._sums: dict[str, float] = dict.fromkeys(OPERATION_TYPES, 0.0)

    def count(self, kind: str, outcome: str, seconds: float) -> None:
        """One operation."""
        self._counts[kind, outcome] += 1
        self._slots[kind][bisect_left(SECONDS, seconds)] += 1
        self._sums[kind] += seconds

    def collect(self) -> Iterator[Metric]:
        """As the library asks for it."""
        counted = CounterMetricFamily(
            "tenantry_operations", "Operations answered.", labels=("type", "outcome")
        )
        for (kind, outcome), number in self._counts.items():
            counted.add_metric((kind, outcome), number)
        yield counted
        taken = HistogramMetricFamily(
            "tenantry_operation_seconds", "From the parsed request to its answer.", labels=("type",)
        )
        bounds = [*map(str, SECONDS), "+Inf"]
        for kind, slots in self._slots.items():
            reached = zip(bounds, accumulate(slots), strict=True)
            taken.add_metric((kind,), [(bound, number) for bound, number in reached], self._sums[kind])
        yield taken


def metrics_endpoint(metrics: Metrics) -> Endpoint:
    """``GET /metrics``. It names no tenant and no person; still, expose it to the scraper alone."""

    async def endpoint(_request: Request) -> Response:
        return Response(metrics.render(), media_type=CONTENT_TYPE_LATEST)

    return endpoint
