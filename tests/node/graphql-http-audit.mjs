// Audits a server against the GraphQL-over-HTTP specification.
//
// Usage: node graphql-http-audit.mjs <url>. Prints {"<id>": {"name": …, "status": "ok" | "warn" | …,
// "reason": …}, …}, the outcome of every audit there is.

import { auditServer } from 'graphql-http';

const [url] = process.argv.slice(2);
const outcomes = await auditServer({ url, fetchFn: fetch });
process.stdout.write(
  JSON.stringify(
    Object.fromEntries(outcomes.map(({ id, name, status, reason }) => [id, { name, status, reason }])),
  ),
);
