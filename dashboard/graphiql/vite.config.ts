import react from "@vitejs/plugin-react";
import { defineConfig } from "vite";

const service = "http://127.0.0.1:8000";

export default defineConfig({
  base: "/graphiql/",
  plugins: [react()],
  worker: { format: "es" },
  build: {
    outDir: "../../src/tenantry/web/static/graphiql",
    emptyOutDir: true,
    // Monaco is one large chunk by nature; it is served from the same host and kept for a year.
    chunkSizeWarningLimit: 6000,
    modulePreload: { polyfill: false },
    rolldownOptions: {
      // The service's page at /invitation names its script by a fixed address.
      input: { index: "index.html", invitation: "src/invitation.ts" },
      output: {
        entryFileNames: ({ name }) => (name === "invitation" ? "[name].js" : "assets/[name]-[hash].js"),
      },
      // "use no memo" speaks to React's compiler, which has already run over the published files.
      onLog: (level, log, handle) => {
        if (log.code !== "MODULE_LEVEL_DIRECTIVE") handle(level, log);
      },
    },
  },
  server: {
    proxy: { "/graphql": service, "/schema.graphql": service, "/dev": service, "/invitation": service },
  },
});
