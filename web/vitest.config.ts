import { defineConfig } from "vitest/config";

export default defineConfig({
  test: {
    environment: "happy-dom",
    include: ["src/**/*.test.{ts,tsx}", "dev/*.test.mjs"],
    setupFiles: ["./vitest.setup.ts"],
    env: { TZ: "UTC" },
    reporters: ["default", "./vitest.reporter.ts"],
  },
});
