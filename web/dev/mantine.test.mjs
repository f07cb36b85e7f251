import { existsSync, readdirSync, readFileSync } from "node:fs";

import { expect, test } from "vitest";

test("every Mantine component that is used has its styles", () => {
  const styles = readFileSync("src/styles/mantine.css", "utf8");
  const files = readdirSync("src", { recursive: true }).filter((file) => /\.tsx?$/.test(file));
  const used = new Set();
  for (const file of files)
    for (const [, names] of readFileSync(`src/${file}`, "utf8").matchAll(
      /import \{([^}]*)\} from "@mantine\/core"/g,
    ))
      for (const name of names.split(",")) used.add(name.trim());
  expect(used).toContain("Button");
  const missing = [...used].filter(
    (name) => existsSync(`node_modules/@mantine/core/styles/${name}.css`) && !styles.includes(`/${name}.css`),
  );
  expect(missing).toEqual([]);
});
