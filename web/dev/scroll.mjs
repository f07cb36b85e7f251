// How smoothly a big trace scrolls: node dev/scroll.mjs [path]   BASE_URL
import { chromium } from "playwright-core";
const base = process.env.BASE_URL ?? "http://127.0.0.1:8787";
const path = process.argv[2] ?? "/traces/b16b16b16b16b16b16b16b16b16b16b1";
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
  ],
});
const page = await (await browser.newContext({ viewport: { width: 1440, height: 900 } })).newPage();
const started = Date.now();
await page.goto(base + path);
await page.getByTestId("span-row").first().waitFor();
console.log(`first rows after ${Date.now() - started} ms`);
const frames = async (name, step) => {
  const times = await page.evaluate(async (body) => {
    const rows = document.querySelector("[data-testid=waterfall]");
    rows.focus();
    const act = new Function("rows", "frame", body);
    const out = [];
    let last = performance.now();
    for (let frame = 0; frame < 180; frame += 1) {
      act(rows, frame);
      await new Promise(requestAnimationFrame);
      const now = performance.now();
      out.push(now - last);
      last = now;
    }
    return out;
  }, step);
  times.sort((a, b) => a - b);
  console.log(
    `${name}: frame p50 ${times[90].toFixed(1)} ms, p95 ${times[171].toFixed(1)} ms, max ${times[179].toFixed(1)} ms; ${await page.getByTestId("span-row").count()} rows in the page`,
  );
};
await frames("scroll 120 px a frame", "rows.scrollTop += 120");
await frames("scroll a page a frame", "rows.scrollTop += 800");
await frames("jump anywhere", "rows.scrollTop = ((frame * 7919) % 10000) * 24");
await frames("hold j", "rows.dispatchEvent(new KeyboardEvent('keydown', { key: 'j', bubbles: true }))");
await browser.close();
