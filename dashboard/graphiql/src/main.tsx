import "graphiql/setup-workers/vite";
import "graphiql/style.css";
import "./style.css";
import { HISTORY_PLUGIN } from "@graphiql/plugin-history";
import type { Fetcher } from "@graphiql/toolkit";
import { pick, useGraphiQL } from "@graphiql/react";
import { GraphiQL } from "graphiql";
import { buildSchema, Kind, parse, type GraphQLSchema } from "graphql";
import { StrictMode, useEffect } from "react";
import { createRoot } from "react-dom/client";
import { learn, useFilledVariables } from "./filling";
import { SESSION_PLUGIN } from "./panel";
import { call } from "./session";
import { forgetfulStorage } from "./storage";
import { TOUR } from "./tour";

const PLUGINS = [SESSION_PLUGIN, HISTORY_PLUGIN];

const fetcher = (async (operation, options) => {
  const answer = await call(
    { ...operation, operationName: ownName(operation.query, operation.operationName) },
    options?.headers as Record<string, string> | undefined,
  );
  learn(answer);
  return answer;
}) as Fetcher;

/** Right after a change of tabs GraphiQL still names the other tab's operation: such a name is dropped. */
function ownName(query: string, name: string | null | undefined): string | undefined {
  try {
    const named = parse(query).definitions.some(
      (definition) => definition.kind === Kind.OPERATION_DEFINITION && definition.name?.value === name,
    );
    return named ? (name ?? undefined) : undefined;
  } catch {
    return name ?? undefined;
  }
}

/** The printed schema, whose descriptions name permissions; introspection serves where it is not published. */
async function publishedSchema(): Promise<GraphQLSchema | undefined> {
  try {
    const response = await fetch("/schema.graphql");
    return response.ok ? buildSchema(await response.text()) : undefined;
  } catch {
    return undefined;
  }
}

/** Long lines wrap, so that the tour's comments are read without scrolling sideways. */
function WrappedLines() {
  const { queryEditor, variableEditor, responseEditor } = useGraphiQL(
    pick("queryEditor", "variableEditor", "responseEditor"),
  );
  useEffect(() => {
    for (const editor of [queryEditor, variableEditor, responseEditor]) {
      editor?.updateOptions({ wordWrap: "on", wrappingIndent: "indent", fontSize: 13, lineHeight: 20 });
    }
  }, [queryEditor, variableEditor, responseEditor]);
  return null;
}

/** Step 2's ids, put where steps 3 and 4 ask for them. */
function FilledVariables() {
  useFilledVariables();
  return null;
}

function Page({ schema }: { schema: GraphQLSchema | undefined }) {
  return (
    <GraphiQL
      fetcher={fetcher}
      schema={schema}
      plugins={PLUGINS}
      visiblePlugin={SESSION_PLUGIN.title}
      storage={storage}
      shouldPersistHeaders={false}
      defaultTabs={TOUR}
      defaultEditorToolsVisibility="variables"
    >
      <WrappedLines />
      <FilledVariables />
      <GraphiQL.Logo>
        <span className="brand">Tenantry</span>
      </GraphiQL.Logo>
    </GraphiQL>
  );
}

const storage = forgetfulStorage();
const root = document.getElementById("root");
if (root) {
  const schema = await publishedSchema();
  createRoot(root).render(
    <StrictMode>
      <Page schema={schema} />
    </StrictMode>,
  );
}
