// Pictures of pages, to look at: node dev/shots.mjs OUT_DIR [name=path …]   BASE_URL, THEMES=light,dark
import { chromium } from "playwright-core";
const base = process.env.BASE_URL ?? "http://127.0.0.1:8787";
const [out, ...wanted] = process.argv.slice(2);
const browser = await chromium.launch({
  executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium",
  args: [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--font-render-hinting=none",
  ],
});
for (const theme of (process.env.THEMES ?? "dark,light").split(",")) {
  const context = await browser.newContext({
    viewport: { width: Number(process.env.WIDTH ?? 1440), height: Number(process.env.HEIGHT ?? 900) },
    colorScheme: theme,
    reducedMotion: "reduce",
  });
  const page = await context.newPage();
  page.on("console", (message) => {
    if (["error", "warning"].includes(message.type()))
      console.log(`[${theme}] ${message.type()}: ${message.text().slice(0, 300)}`);
  });
  page.on("pageerror", (error) => console.log(`[${theme}] ${error.message}`));
  for (const one of wanted) {
    const [name, where] = [one.slice(0, one.indexOf("=")), one.slice(one.indexOf("=") + 1)];
    const [path, ...steps] = where.split(" >> ");
    await page.goto(base + path);
    await page.waitForTimeout(1_200);
    for (const step of steps) {
      if (step.startsWith("key:")) await page.keyboard.press(step.slice(4));
      else if (step.startsWith("type:")) await page.keyboard.type(step.slice(5));
      else if (step.startsWith("wait:")) await page.waitForTimeout(Number(step.slice(5)));
      else
        await page
          .locator(step)
          .first()
          .click({ timeout: 5_000 })
          .catch((error) => console.log(`${name}: ${error.message.split("\n")[0]}`));
      await page.waitForTimeout(350);
    }
    await page.screenshot({ path: `${out}/${name}-${theme}.png` });
  }
  await context.close();
}
await browser.close();
