import { readdir, readFile, writeFile } from "node:fs/promises";
import path from "node:path";
import { promisify } from "node:util";
import { brotliCompress, constants } from "node:zlib";

import react from "@vitejs/plugin-react";
import { defineConfig, type Plugin } from "vite";

const compress = promisify(brotliCompress);

/** Writes `file.br` beside each script and style sheet; the server hands it to those who can read it. */
function brotliSiblings(): Plugin {
  let assets = "";
  return {
    name: "brotli-siblings",
    apply: "build",
    configResolved(config) {
      assets = path.join(config.root, config.build.outDir, config.build.assetsDir);
    },
    async closeBundle() {
      const names = (await readdir(assets)).filter((name) => /\.(js|css|svg)$/.test(name));
      await Promise.all(
        names.map(async (name) => {
          const file = path.join(assets, name);
          const params = { [constants.BROTLI_PARAM_QUALITY]: 9 };
          await writeFile(`${file}.br`, await compress(await readFile(file), { params }));
        }),
      );
    },
  };
}

const server = process.env["TREFOIL_URL"] ?? "http://127.0.0.1:3000";

export default defineConfig({
  plugins: [react(), brotliSiblings()],
  build: {
    outDir: "dist",
    emptyOutDir: true,
    target: "es2022",
    chunkSizeWarningLimit: 700,
    modulePreload: { polyfill: false },
  },
  server: {
    proxy: {
      "/api": server,
      "/v1": server,
      "/-": server,
      "/prometheus": process.env["PROMETHEUS_URL"] ?? server,
    },
  },
});
