/** One request to the service, with the session's token when there is one. */

export interface Answer {
  data?: Record<string, unknown> | null;
  errors?: { message: string; extensions?: Record<string, unknown> }[];
  extensions?: { authority?: { tenantId?: string; version?: string } };
}

export interface Operation {
  query: string;
  variables?: unknown;
  operationName?: string | null;
}

const TYPES = "application/graphql-response+json, application/json;q=0.9";

export async function send(
  operation: Operation,
  headers: Record<string, string> = {},
): Promise<Answer> {
  let response: Response;
  try {
    response = await fetch("/graphql", {
      method: "POST",
      credentials: "same-origin",
      cache: "no-store",
      headers: { "Content-Type": "application/json", Accept: TYPES, ...headers },
      body: JSON.stringify(operation),
    });
  } catch {
    return { errors: [{ message: "The service does not answer. Is it still running?" }] };
  }
  const text = await response.text();
  try {
    return JSON.parse(text) as Answer;
  } catch {
    return { errors: [{ message: `The service answered ${response.status} without JSON.` }] };
  }
}
