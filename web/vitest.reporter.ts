import type { Reporter, TestModule } from "vitest/node";

/** Ends the run with the one line that the test command counts. */
export default class CountReporter implements Reporter {
  onTestRunEnd(modules: readonly TestModule[], errors: readonly unknown[]): void {
    let passed = 0;
    let failed = errors.length;
    for (const module of modules) {
      if (module.state() === "failed" && module.children.size === 0) failed += 1;
      for (const test of module.children.allTests()) {
        if (test.result().state === "passed") passed += 1;
        if (test.result().state === "failed") failed += 1;
      }
    }
    process.once("exit", () => process.stdout.write(`web: ${passed} passed, ${failed} failed\n`));
  }
}
