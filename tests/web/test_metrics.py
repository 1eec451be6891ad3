"""Metrics: counted where they should be, and readable by Prometheus."""

import httpx
from prometheus_client.parser import text_string_to_metric_families
from starlette.applications import Starlette
from starlette.routing import Route

from tenantry.web.metrics import OPERATION_TYPES, OUTCOMES, Metrics, PlanEvent, metrics_endpoint


def samples(text: str) -> dict[tuple[str, frozenset[str]], float]:
    return {
        (sample.name, frozenset(sample.labels.values())): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


async def test_what_happened_is_what_prometheus_reads() -> None:
    metrics = Metrics()
    metrics.operation("query", "ok", 0.002)
    metrics.operation("query", "ok", 0.004)
    metrics.operation("mutation", "refused", 0.02)
    metrics.plan(PlanEvent.HIT)
    metrics.audit_queue.set(3)
    metrics.cache_failures.inc()
    app = Starlette(routes=[Route("/metrics", metrics_endpoint(metrics))])
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://localhost") as http:
        answer = await http.get("/metrics")
    assert answer.headers["content-type"].startswith("text/plain; version=")
    found = samples(answer.text)
    assert found["tenantry_operations_total", frozenset({"query", "ok"})] == 2
    assert found["tenantry_operations_total", frozenset({"mutation", "refused"})] == 1
    assert found["tenantry_operation_seconds_count", frozenset({"query"})] == 2
    assert found["tenantry_operation_seconds_bucket", frozenset({"query", "0.0025"})] == 1
    assert found["tenantry_plan_cache_total", frozenset({"hit"})] == 1
    assert found["tenantry_audit_queue", frozenset()] == 3
    assert found["tenantry_cache_failures_total", frozenset()] == 1


def test_every_series_is_there_from_the_start() -> None:
    found = samples(Metrics().render().decode())
    for kind in OPERATION_TYPES:
        for outcome in OUTCOMES:
            assert found["tenantry_operations_total", frozenset({kind, outcome})] == 0


def test_two_applications_count_apart() -> None:
    one, other = Metrics(), Metrics()
    one.plan(PlanEvent.MISS)
    assert samples(other.render().decode())["tenantry_plan_cache_total", frozenset({"miss"})] == 0
