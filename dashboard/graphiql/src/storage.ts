import type { Storage } from "@graphiql/toolkit";

/** What may outlive the page: the look of it. Documents, variables, headers and answers may not. */
const KEPT = new Set([
  "graphiql:theme",
  "graphiql:docExplorerFlex",
  "graphiql:editorFlex",
  "graphiql:secondaryEditorFlex",
]);

/** More room for the document, less for the sidebar, until the reader drags the bars. */
const FIRST_LAYOUT: Record<string, string> = {
  "graphiql:docExplorerFlex": "0.27",
  "graphiql:editorFlex": "1.2",
};

/** GraphiQL's storage, in memory but for the page's look, so that no token or address reaches the disk. */
export function forgetfulStorage(): Storage {
  const memory = new Map<string, string>();
  const kept = (key: string) => KEPT.has(key);
  const first = (key: string) => FIRST_LAYOUT[key] ?? null;
  return {
    getItem: (key) => (kept(key) ? (localStorage.getItem(key) ?? first(key)) : (memory.get(key) ?? null)),
    setItem: (key, value) => {
      if (kept(key)) localStorage.setItem(key, value);
      else memory.set(key, value);
    },
    removeItem: (key) => {
      if (kept(key)) localStorage.removeItem(key);
      else memory.delete(key);
    },
    clear: () => {
      memory.clear();
      KEPT.forEach((key) => localStorage.removeItem(key));
    },
    get length() {
      return memory.size;
    },
  };
}
