// Drives the pages in a real browser against a running server with data, and checks them with axe.
//   BASE_URL=http://127.0.0.1:3000 node e2e/run.mjs
// BASE_URL_EMPTY: a server without data, for its first page. CHROMIUM: the browser. SHOTS: where pictures of failures go.
// The last line is "N passed, N failed"; exit 1 when something failed.
import { mkdir, readFile } from "node:fs/promises";
import { createRequire } from "node:module";

import { chromium } from "playwright-core";

const base = (process.env.BASE_URL ?? "http://127.0.0.1:8787").replace(/\/$/, "");
const emptyBase = process.env.BASE_URL_EMPTY?.replace(/\/$/, "");
const shots = process.env.SHOTS;
const axeSource = await readFile(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");
const ARGS = [
  "--headless",
  "--no-sandbox",
  "--disable-gpu",
  "--disable-quic",
  "--no-first-run",
  "--disable-background-networking",
  "--disable-component-update",
  "--disable-sync",
];
const TIMEOUT_MS = 15_000;

let passed = 0;
let failed = 0;
const browser = await chromium.launch({
  executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium",
  args: ARGS,
});

async function open(colorScheme, options = {}) {
  const context = await browser.newContext({
    viewport: { width: 1440, height: 900 },
    colorScheme,
    reducedMotion: "reduce",
    permissions: ["clipboard-read", "clipboard-write"],
    bypassCSP: false,
    ...options,
  });
  const page = await context.newPage();
  page.setDefaultTimeout(TIMEOUT_MS);
  page.faults = [];
  page.on("pageerror", (error) => page.faults.push(error.message));
  page.on("console", (message) => {
    if (message.type() === "error" && !/Failed to load resource/.test(message.text()))
      page.faults.push(message.text());
  });
  return page;
}

async function check(name, page, body) {
  const started = Date.now();
  try {
    page.faults.length = 0;
    await body(page);
    if (page.faults.length > 0) throw new Error(`the page complained: ${page.faults[0]}`);
    passed += 1;
    console.log(`ok   ${name} (${Date.now() - started} ms)`);
  } catch (error) {
    failed += 1;
    console.log(`FAIL ${name}: ${String(error.message).split("\n").slice(0, 4).join(" | ")}`);
    if (shots)
      await mkdir(shots, { recursive: true })
        .then(() => page.screenshot({ path: `${shots}/${name.replace(/\W+/g, "-")}.png` }))
        .catch(() => undefined);
  }
}

function equal(actual, wanted, what) {
  if (actual !== wanted)
    throw new Error(`${what}: ${JSON.stringify(actual)}, wanted ${JSON.stringify(wanted)}`);
}
function that(condition, what) {
  if (!condition) throw new Error(what);
}
async function until(what, condition) {
  const end = Date.now() + TIMEOUT_MS;
  for (;;) {
    const value = await condition();
    if (value) return value;
    if (Date.now() > end) throw new Error(`not within ${TIMEOUT_MS} ms: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
}
async function api(path, from = base) {
  const response = await fetch(from + path);
  that(response.ok, `${path} answered ${response.status}`);
  return response.json();
}

// What the server has now; the checks follow it.
const window15 = () => `start=${Date.now() - 900_000}&end=${Date.now()}`;
const { services } = await api(`/api/v1/services?${window15()}`);
that(services.length > 0, "the server has no services: start it with demo data");
const busiest = [...services].sort((a, b) => b.requests - a.requests)[0].service;
const { rows: recentLogs } = await api(`/api/v1/logs?${window15()}&limit=500`);
const traced =
  recentLogs.find((row) => row.trace_id && row.span_id && Date.now() - new Date(row.time) > 10_000) ??
  recentLogs.find((row) => row.trace_id && row.span_id);
that(traced, "no log line has a trace id");

const page = await open("light");

await check("home shows the services and the ingest", page, async () => {
  await page.goto(base);
  await page.getByTestId("services").waitFor();
  for (const { service } of services.slice(0, 5)) await page.getByTestId(`service-${service}`).waitFor();
  await page
    .getByTestId("ingest")
    .getByText(/log lines/)
    .waitFor();
});

await check("service, trace, span, its logs and back: a click each", page, async () => {
  await page.goto(base);
  await page.getByTestId(`service-${traced.service}`).getByRole("link", { name: traced.service }).click();
  await page.getByTestId("operations").waitFor();
  await page.getByTestId("chart-requests").locator("canvas").waitFor();
  await page.goto(`${base}/traces?service=${encodeURIComponent(traced.service)}`);
  await page.getByTestId("trace-row").first().waitFor();
  await page.goto(`${base}/traces/${traced.trace_id}`);
  await page.getByTestId("waterfall").waitFor();
  const row = page.locator(`[data-span="${traced.span_id}"]`);
  await row.click();
  await page.getByTestId("span-details").waitFor();
  await page.waitForURL(new RegExp(`span=${traced.span_id}`));
  await page.getByTestId("span-logs").click();
  await page.getByTestId("trace-log").first().waitFor();
  that((await page.locator(".trace-log.selected").count()) > 0, "no line of the span is marked");
  await page.locator(".trace-log.selected").first().click();
  equal(await row.getAttribute("aria-selected"), "true", "the line's span is selected");
  await page.getByRole("link", { name: "Open in Logs" }).click();
  await page.waitForURL(/\/logs\?/);
  await page.getByTestId("log-line").first().waitFor();
  await page.locator(".log-trace").first().click();
  await page.waitForURL(/\/traces\/[0-9a-f]{32}\?span=/);
  await page.getByTestId("span-details").waitFor();
});

await check("a trace opens by a row of the search, newest and slowest", page, async () => {
  await page.goto(`${base}/traces`);
  await page.getByTestId("trace-histogram").locator("canvas").waitFor();
  await page.getByTestId("trace-row").first().waitFor();
  await page.getByRole("radio", { name: "Slowest" }).click();
  await page.waitForURL(/sort=slowest/);
  await page.getByTestId("trace-row").first().click();
  await page.getByTestId("waterfall").waitFor();
});

await check("the trace page is walked by keys", page, async () => {
  await page.goto(`${base}/traces/${traced.trace_id}`);
  await page.getByTestId("waterfall").focus();
  await page.keyboard.press("j");
  await page.keyboard.press("j");
  await page.getByTestId("span-details").waitFor();
  await page.waitForURL(/span=/);
  const before = await page.getByTestId("span-row").count();
  await page.keyboard.press("[");
  await until(
    "fewer rows when all is closed",
    async () => before === 1 || (await page.getByTestId("span-row").count()) < before,
  );
  await page.keyboard.press("]");
  await until("all rows again", async () => (await page.getByTestId("span-row").count()) === before);
  await page.getByRole("tab", { name: "Spans" }).click();
  await page.getByTestId("span-table").waitFor();
});

await check("attributes lead to a search", page, async () => {
  await page.goto(`${base}/traces/${traced.trace_id}?span=${traced.span_id}`);
  await page.getByTestId("span-details").waitFor();
  const link = page
    .getByTestId("span-details")
    .getByRole("link", { name: /^Search traces with this/ })
    .first();
  await link.focus();
  await link.press("Enter");
  await page.waitForURL(/\/traces\?.*q=/);
  await until(
    "a result or a reasoned empty one",
    async () => (await page.getByTestId("trace-row").count()) + (await page.getByTestId("empty").count()) > 0,
  );
});

await check("logs are searched by words and attributes, and a line opens", page, async () => {
  await page.goto(`${base}/logs`);
  await page.getByTestId("log-line").first().waitFor();
  await page.getByTestId("search-logs").fill(`trace_id:${traced.trace_id}`);
  await page.keyboard.press("Enter");
  await page.waitForURL(/q=trace_id/);
  const { rows } = await api(
    `/api/v1/logs?${window15()}&q=${encodeURIComponent(`trace_id:${traced.trace_id}`)}`,
  );
  await until(
    "only the trace's lines",
    async () =>
      (await page.getByTestId("log-line").count()) === Math.min(rows.length, 30) || rows.length > 20,
  );
  await page
    .getByRole("button", { name: /^Open line of/ })
    .first()
    .click();
  await page.getByTestId("log-details").waitFor();
  await page.getByRole("button", { name: "Lines around it" }).click();
  await page.getByTestId("log-context").waitFor();
  await page
    .getByRole("button", { name: /^Only lines with this/ })
    .first()
    .focus();
});

await check("the search completes keys and values", page, async () => {
  await page.goto(`${base}/logs`);
  const field = page.getByTestId("search-logs");
  await field.click();
  await field.pressSequentially("serv");
  const options = page.getByRole("listbox", { name: "Completions" }).getByRole("option");
  await options
    .filter({ hasText: /^service/ })
    .first()
    .waitFor();
  await field.press("ArrowDown");
  await field.press("Enter");
  await until("the key is written", async () => (await field.inputValue()).startsWith("service"));
  await options.filter({ hasText: traced.service }).first().waitFor();
});

await check("a linked line opens by itself", page, async () => {
  await page.goto(
    `${base}/logs?line=${traced.time_unix_ns}.${traced.id}&service=${encodeURIComponent(traced.service)}&from=${Math.floor(new Date(traced.time.slice(0, 23) + "Z").getTime() - 60_000)}&to=${Math.floor(new Date(traced.time.slice(0, 23) + "Z").getTime()) + 1}`,
  );
  await page.getByTestId("log-details").first().waitFor();
});

await check("the live tail fills, pauses and goes on", page, async () => {
  await page.goto(`${base}/logs`);
  await page.getByTestId("live-tail").click();
  const count = async () =>
    Number.parseInt((await page.getByTestId("tail-count").textContent()).replace(/\D/g, "") || "0", 10);
  await until("lines come", async () => (await count()) > 0);
  await page.getByRole("button", { name: "Pause" }).click();
  const shown = await page.getByTestId("log-line").count();
  const at = await count();
  await until("more lines are counted while paused", async () => (await count()) > at);
  equal(await page.getByTestId("log-line").count(), shown, "lines shown while paused");
  await page.getByRole("button", { name: "Resume" }).click();
  await page.getByText("Live", { exact: true }).waitFor();
});

await check("the time range goes into the address, and a drag zooms", page, async () => {
  await page.goto(`${base}/logs`);
  await page.getByTestId("time-range").click();
  await page.getByRole("button", { name: "Last 5 minutes" }).click();
  await page.waitForURL(/from=now-5m/);
  const over = page.getByTestId("log-histogram").locator(".u-over");
  const box = await over.boundingBox();
  await page.mouse.move(box.x + box.width * 0.3, box.y + box.height / 2);
  await page.mouse.down();
  await page.mouse.move(box.x + box.width * 0.7, box.y + box.height / 2, { steps: 6 });
  await page.mouse.up();
  await page.waitForURL(/from=\d{13}/);
  await page.goBack();
  await page.waitForURL(/from=now-5m/);
});

await check("SQL answers as a table and as a chart", page, async () => {
  await page.goto(`${base}/sql`);
  const editor = page.getByTestId("sql-editor");
  await editor.click();
  await page.keyboard.press("Control+a");
  await page.keyboard.insertText(
    "SELECT date_bin(INTERVAL '1 minute', time) AS minute, count(*) AS spans FROM spans WHERE time > now() - INTERVAL '30 minutes' GROUP BY minute ORDER BY minute",
  );
  await page.keyboard.press("Control+Enter");
  await page.waitForURL(/q=SELECT/);
  await page.getByTestId("sql-result").getByRole("row").nth(1).waitFor();
  await page.getByTestId("sql-stats").waitFor();
  await page.goto(
    `${base}/sql?view=chart&q=${encodeURIComponent("SELECT service, count(*) AS spans FROM spans GROUP BY service")}`,
  );
  await page.getByTestId("sql-chart").waitFor();
});

await check("every example of the SQL page runs", page, async () => {
  await page.goto(`${base}/sql`);
  await page.getByRole("button", { name: "Examples" }).click();
  const titles = await page.getByRole("menuitem").allTextContents();
  that(titles.length >= 5, "there are examples");
  for (const title of titles) {
    await page.goto(`${base}/sql`);
    await page.getByRole("button", { name: "Examples" }).click();
    await page.getByRole("menuitem", { name: title }).click();
    await page.waitForURL(/q=/);
    await until(
      `an answer to ${title}`,
      async () =>
        (await page.getByTestId("sql-stats").count()) + (await page.getByTestId("failed").count()) > 0,
    );
    if ((await page.getByTestId("failed").count()) > 0)
      throw new Error(`${title}: ${await page.getByTestId("failed").textContent()}`);
  }
});

await check("the columns of all tables are listed, and a click asks what is in one", page, async () => {
  await page.goto(`${base}/sql`);
  const columns = page.getByTestId("sql-columns");
  for (const table of ["spans", "logs", "metrics"])
    await columns
      .getByRole("region", { name: `Columns of ${table}` })
      .getByRole("button")
      .first()
      .waitFor();
  await page.getByRole("searchbox", { name: "Find a column" }).fill("http.route");
  await columns
    .getByRole("button", { name: /^attributes\['http.route'\]/ })
    .first()
    .click();
  await page.waitForURL(/q=SELECT/);
  await page.getByTestId("sql-result").getByRole("row").nth(1).waitFor();
  await page.getByRole("radio", { name: "Columns" }).click();
  await columns.waitFor();
});

await check("a wrong query says where", page, async () => {
  await page.goto(`${base}/sql?q=${encodeURIComponent("SELECT *\nFRO spans")}`);
  await page.getByTestId("failed").waitFor();
  that(/line 2/i.test(await page.getByTestId("failed").textContent()), "it names line 2");
});

const prometheus = async (path) => (await api(`/prometheus/api/v1${path}`)).data;
const REQUESTS = "http_server_request_duration_seconds";

await check("metrics are browsed, and a click asks what fits", page, async () => {
  await page.goto(`${base}/metrics`);
  await page.getByTestId("metric-row").first().waitFor();
  await page.getByTestId("find-metric").fill(REQUESTS);
  await page.waitForURL(/find=http_server/);
  await page.getByTestId("metric-row").first().click();
  await page.waitForURL(/metric=http_server/);
  await page.getByTestId("metric-preview").locator("canvas").waitFor();
  await page.getByRole("table", { name: "Labels" }).getByRole("button").first().waitFor();
  await page.getByTestId("use-metric").first().click();
  await page.waitForURL(/[?&]q=histogram_quantile/);
  await page.getByTestId("metrics-graph").locator("canvas").waitFor();
  await page.getByTestId("query-stats").waitFor();
});

await check("PromQL completes names, runs by Enter, and says where a fault is", page, async () => {
  await page.goto(`${base}/metrics`);
  const editor = page.getByTestId("promql-editor");
  await editor.click();
  await editor.pressSequentially("sum(rate(http_server_req");
  await page.locator(".cm-tooltip-autocomplete li").filter({ hasText: REQUESTS }).first().waitFor();
  await page.keyboard.press("Escape");
  await page.keyboard.press("Control+a");
  await page.keyboard.insertText("sum by (job) (up)");
  await page.keyboard.press("Enter");
  await page.waitForURL(/q=sum/);
  await page.getByTestId("legend").getByRole("button").first().waitFor();
  await page.goto(`${base}/metrics?q=${encodeURIComponent("sum by (job) rate(up)")}`);
  await page.getByTestId("query-error").waitFor();
  that(/column \d+/.test(await page.getByTestId("query-error").textContent()), "it names the column");
});

await check("several queries are asked at once, hidden and shown as a table", page, async () => {
  await page.goto(`${base}/metrics?q=up&q2=${encodeURIComponent("count(up)")}`);
  await until("two rows", async () => (await page.getByTestId("query-row").count()) === 2);
  await page.getByTestId("metrics-graph").locator("canvas").waitFor();
  await page.getByRole("button", { name: "Hide query B" }).click();
  await page.waitForURL(/hide=2/);
  await page.getByRole("radio", { name: "Table" }).click();
  await page.waitForURL(/view=table/);
  await page.getByTestId("metrics-table").getByRole("row").nth(1).waitFor();
});

await check("a click in the legend leaves one series, and panels are kept", page, async () => {
  await page.goto(`${base}/metrics?q=up`);
  const first = page.getByTestId("legend").getByRole("button").first();
  await first.click();
  equal(await first.getAttribute("aria-pressed"), "true", "pressed");
  await page.getByTestId("pin-panel").click();
  await page.getByTestId("pinned").locator("canvas").first().waitFor();
  await page.reload();
  await page.getByRole("button", { name: /^Take the panel away/ }).click();
  await until("no panel", async () => (await page.getByTestId("pinned").count()) === 0);
});

await check("a time of the graph leads to its traces", page, async () => {
  await page.goto(`${base}/metrics?q=${encodeURIComponent(`sum(rate(${REQUESTS}_count[1m]))`)}`);
  const over = page.getByTestId("metrics-graph").locator(".u-over");
  const box = await over.boundingBox();
  await page.mouse.move(box.x + box.width * 0.5, box.y + box.height / 2);
  await page.mouse.down();
  await page.mouse.move(box.x + box.width * 0.98, box.y + box.height / 2, { steps: 6 });
  await page.mouse.up();
  await page.getByRole("button", { name: "Zoom in" }).waitFor();
  await page.waitForURL(/sel=\d{13}-\d{13}/);
  await page.reload();
  await page.getByRole("button", { name: "Zoom in" }).waitFor();
  await page.getByTestId("range-traces").first().click();
  await page.waitForURL(/\/traces\?.*from=\d{13}/);
  await page.getByTestId("trace-row").first().waitFor();
  await page.goBack();
  await page.getByRole("button", { name: "Zoom in" }).click();
  await page.waitForURL(/from=\d{13}/);
  await until("the choice is gone", () => !page.url().includes("sel="));
});

await check("a cell of a heatmap leads to the traces that took as long", page, async () => {
  const expr = `sum by (le) (rate(${REQUESTS}_bucket[1m]))`;
  await page.goto(`${base}/metrics?style=heatmap&refresh=off&q=${encodeURIComponent(expr)}`);
  const heat = page.getByTestId("heatmap");
  await heat.waitFor();
  const box = await heat.boundingBox();
  // The lowest bucket, at the newest end.
  await page.mouse.click(box.x + box.width - 12, box.y + box.height - 34);
  const link = page.getByTestId("range-traces").first();
  await until("the cell is chosen", async () => /^Traces of /.test(await link.textContent()));
  await link.click();
  await page.waitForURL(/\/traces\?.*max=/);
  await page.getByTestId("trace-row").first().waitFor();
});

await check("a spike of slow requests leads by a click to their traces", page, async () => {
  const before = Date.now();
  const body = JSON.stringify({
    transaction_id: "txn_spike",
    user_id: 12_345,
    amount: 149.99,
    payment_method: "card",
    merchant_id: "merchant_42",
  });
  const targets = (await prometheus("/targets")).activeTargets;
  const fraud = targets.find((target) => target.labels.job === "fraud-detection-api");
  const url = fraud.scrapeUrl.replace(/\/metrics$/, "/v1/predict");
  const headers = { "content-type": "application/json", "x-fault": "slow-model" };
  const answers = await Promise.all(
    Array.from({ length: 40 }, async () => (await fetch(url, { method: "POST", headers, body })).json()),
  );
  const slow = new Set(answers.map((answer) => answer.trace_id));
  const by = 'by (le) (rate(http_server_request_duration_seconds_bucket{http_route="/v1/predict"}[30s]))';
  const expr = `histogram_quantile(0.95, sum ${by})`;
  const found = await until("the spike in the metric", async () => {
    const [start, end] = [Math.floor(before / 1_000), Math.ceil(Date.now() / 1_000)];
    const query = `query=${encodeURIComponent(expr)}&start=${start}&end=${end}&step=5`;
    const { result } = await prometheus(`/query_range?${query}`);
    return result[0]?.values.some(([, value]) => Number(value) > 0.5);
  });
  that(found, "the 95th percentile rose");
  await page.goto(`${base}/metrics?q=${encodeURIComponent(expr)}&from=now-5m&refresh=off&exemplars=0`);
  const over = page.getByTestId("metrics-graph").locator(".u-over");
  await over.waitFor();
  const box = await over.boundingBox();
  // The spike is the newest there is: at the right edge.
  await page.mouse.click(box.x + box.width - 3, box.y + box.height * 0.4);
  await page.getByRole("button", { name: "Zoom in" }).waitFor();
  const link = page.getByTestId("range-traces").first();
  that(/^Slowest traces/.test(await link.textContent()), "it offers the slowest");
  await link.click();
  await page.waitForURL(/\/traces\?.*sort=slowest/);
  that(/q=http\.route/.test(decodeURIComponent(page.url())), "the route came along");
  await page.getByTestId("trace-row").first().waitFor();
  const hrefs = await page.getByTestId("trace-row").evaluateAll((rows) => rows.map((row) => row.href));
  const ids = hrefs.map((href) => /traces\/([0-9a-f]{32})/.exec(href)[1]);
  const mine = ids.slice(0, 40).filter((id) => slow.has(id)).length;
  that(mine > 20, `of the first ${Math.min(40, ids.length)} traces ${mine} are the spike's`);
  await page.getByTestId("trace-row").first().click();
  await page.waitForURL(/\/traces\/[0-9a-f]{32}/);
  await page.getByTestId("waterfall").getByText("model_inference").first().waitFor();
});

await check("an exemplar of a spike opens its trace", page, async () => {
  const expr = `histogram_quantile(0.95, sum by (le) (rate(${REQUESTS}_bucket[1m])))`;
  const now = Date.now() / 1_000;
  await until("the server has exemplars", async () => {
    const query = encodeURIComponent(`${REQUESTS}_bucket`);
    return (
      (await prometheus(`/query_exemplars?query=${query}&start=${now - 900}&end=${now + 60}`)).length > 0
    );
  });
  await page.goto(`${base}/metrics?q=${encodeURIComponent(expr)}`);
  await page.locator(".exemplar-mark").first().waitFor();
  await page.getByTestId("exemplar-list").locator("summary").click();
  await page.getByTestId("exemplar-list").getByRole("link").first().click();
  await page.waitForURL(/\/traces\/[0-9a-f]{32}/);
  await page.getByTestId("waterfall").waitFor();
});

await check("targets are listed by pool and filtered by health", page, async () => {
  await page.goto(`${base}/targets`);
  await page.getByTestId("pool").first().waitFor();
  await page.getByRole("radio", { name: /^Up/ }).click();
  await page.waitForURL(/health=up/);
  await page.getByTestId("pool").first().waitFor();
});

await check("rules say what they are, and lead to their expression", page, async () => {
  await page.goto(`${base}/rules`);
  const { groups } = await prometheus("/rules");
  if (groups.length === 0) {
    await page.getByTestId("empty").getByRole("region", { name: "rule files" }).waitFor();
    return;
  }
  await page.getByTestId("rule-group").first().waitFor();
  equal(await page.getByTestId("rule-group").count(), groups.length, "groups");
  await page.getByTestId("rule").first().getByRole("link").click();
  await page.waitForURL(/\/metrics\?q=/);
});

await check("the cardinality page leads from a metric to the browser", page, async () => {
  await page.goto(`${base}/cardinality`);
  await page.getByRole("region", { name: "Metrics that cost most" }).getByRole("link").first().click();
  await page.waitForURL(/\/metrics\?.*metric=/);
  await page.getByTestId("metric-row").first().waitFor();
});

await check("a browser gets the page at /metrics, a scraper the process's own metrics", page, async () => {
  const text = await (await fetch(`${base}/metrics`)).text();
  that(/^# (HELP|TYPE) trefoil_/m.test(text), "a scraper gets metrics");
  await page.goto(`${base}/metrics`);
  await page.getByTestId("promql-editor").waitFor();
});

await check("the palette opens a pasted trace", page, async () => {
  await page.goto(base);
  await page.getByTestId("services").waitFor();
  await page.keyboard.press("Control+k");
  await page
    .getByRole("combobox", { name: "Search or go to" })
    .fill(`00-${traced.trace_id}-${traced.span_id}-01`.slice(3, 35));
  await page.keyboard.press("Enter");
  await page.waitForURL(new RegExp(traced.trace_id));
  await page.getByTestId("waterfall").waitFor();
});

await check("keys go to pages, and help lists them", page, async () => {
  await page.goto(base);
  await page.getByTestId("services").waitFor();
  for (const [key, path] of [
    ["l", "/logs"],
    ["t", "/traces"],
    ["m", "/metrics"],
    ["a", "/targets"],
    ["r", "/rules"],
    ["c", "/cardinality"],
    ["s", "/sql"],
    ["i", "/status"],
    ["h", "/"],
  ]) {
    // Both keys have to come within a second, which a busy machine does not promise.
    await until(`${key} to lead to ${path}`, async () => {
      await page.evaluate(() => document.activeElement?.blur());
      await page.keyboard.press("g");
      await page.keyboard.press(key);
      await page.waitForTimeout(200);
      return new URL(page.url()).pathname === path;
    });
  }
  await page.keyboard.press("?");
  await page.getByRole("dialog", { name: "Keyboard" }).waitFor();
});

await check("the theme switches and is kept", page, async () => {
  await page.goto(base);
  const scheme = () =>
    page.evaluate(() => document.documentElement.getAttribute("data-mantine-color-scheme"));
  equal(await scheme(), "light", "follows the system");
  await page.getByTestId("theme-switch").click();
  await page.getByTestId("theme-switch").click();
  await until("dark", async () => (await scheme()) === "dark");
  await page.reload();
  equal(await scheme(), "dark", "after a reload");
});

await check("a server that does not answer is named, and its return is seen", page, async () => {
  await page.goto(`${base}/?refresh=5s`);
  await page.getByTestId("services").waitFor();
  equal(await page.getByTestId("connection").count(), 0, "complaints while the server answers");
  const offline = (route) => route.abort();
  await page.route(/\/(api|prometheus|-)\//, offline);
  await page.getByTestId("connection").waitFor();
  await page.getByTestId("services").waitFor();
  await page.unroute(/\/(api|prometheus|-)\//, offline);
  await page.getByTestId("connection").waitFor({ state: "detached" });
});

await check("an order of the services and a part of a trace are in the address", page, async () => {
  await page.goto(base);
  await page.getByTestId("services").getByRole("button", { name: "p95" }).click();
  await page.waitForURL(/sort=p95_ms/);
  await page.reload();
  equal(
    await page.getByTestId("services").locator("[aria-sort]").first().getAttribute("aria-sort"),
    "descending",
    "the order after a reload",
  );
  await page.goto(`${base}/traces/${traced.trace_id}`);
  await page.getByTestId("waterfall").waitFor();
  const box = await page.locator(".minimap").boundingBox();
  await page.mouse.move(box.x + box.width * 0.2, box.y + 20);
  await page.mouse.down();
  await page.mouse.move(box.x + box.width * 0.6, box.y + 20, { steps: 4 });
  await page.mouse.up();
  await page.waitForURL(/zoom=\d+-\d+/);
  await page.reload();
  await page.getByRole("button", { name: "Whole trace" }).click();
  await until("the whole again", () => !page.url().includes("zoom="));
});

await check("what is not there says so", page, async () => {
  await page.goto(`${base}/traces/00000000000000000000000000000001`);
  await page.getByText("There is no such trace here").waitFor();
  await page.goto(`${base}/nowhere`);
  await page.getByText("There is no such page").waitFor();
  await page.goto(`${base}/services/nobody`);
  await page.getByText("No spans of this service in this time").waitFor();
  await page.goto(`${base}/traces?from=946684800000&to=946684860000`);
  await page.getByRole("button", { name: "Show the newest" }).click();
  await page.getByTestId("trace-row").first().waitFor();
  const asset = await fetch(`${base}/assets/gone.js`);
  equal(asset.status, 404, "a missing asset");
});

const PAGES = [
  "/",
  `/services/${encodeURIComponent(busiest)}`,
  "/traces",
  `/traces/${traced.trace_id}?span=${traced.span_id}`,
  `/traces/${traced.trace_id}?span=${traced.span_id}&side=logs&view=spans`,
  "/logs",
  `/logs?line=${traced.time_unix_ns}.${traced.id}&service=${encodeURIComponent(traced.service)}`,
  "/logs?live=1",
  `/sql?q=${encodeURIComponent("SELECT service, count(*) AS spans FROM spans GROUP BY service")}`,
  "/metrics",
  `/metrics?view=browse&metric=${REQUESTS}`,
  `/metrics?q=${encodeURIComponent(`histogram_quantile(0.95, sum by (le) (rate(${REQUESTS}_bucket[1m])))`)}&q2=up`,
  `/metrics?style=heatmap&q=${encodeURIComponent(`sum by (le) (rate(${REQUESTS}_bucket[1m]))`)}`,
  "/metrics?view=table&q=up",
  "/metrics?q=sum(",
  "/targets",
  "/rules",
  "/cardinality",
  "/status",
];

// What lies over the page covers parts of it, which would be called too small: it is checked alone.
// A page may be seen in the middle of a change, a button that gets its colour, say: what is wrong
// is wrong the second time too.
async function axe(where, within = "html") {
  await page.evaluate(axeSource);
  let said = await violations(within);
  if (said.length > 0) {
    await page.waitForTimeout(500);
    said = await violations(within);
  }
  that(said.length === 0, `${where}: ${said.slice(0, 6).join(" ;; ")}`);
}

async function violations(within) {
  const { violations } = await page.evaluate(
    (root) => globalThis.axe.run(root, { runOnly: ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"] }),
    within,
  );
  return violations.flatMap((violation) =>
    violation.nodes
      .slice(0, 3)
      .map(
        (node) =>
          `${violation.id} ${node.target.join(" ")} ${node.any[0]?.message ?? node.all[0]?.message ?? ""}`,
      ),
  );
}

for (const theme of ["light", "dark"]) {
  for (const path of PAGES) {
    await check(`axe ${theme} ${path.replace(/[0-9a-f]{16,}/g, "…").slice(0, 60)}`, page, async () => {
      await page.goto(base + path);
      await page.evaluate((scheme) => localStorage.setItem("mantine-color-scheme-value", scheme), theme);
      await page.goto(base + path);
      await until(
        "the page is there",
        async () =>
          (await page.locator("main .panel").count()) > 0 &&
          (await page.locator("main [aria-label=Loading]").count()) === 0,
      );
      await axe(path);
    });
  }
  await check(`axe ${theme} overlays`, page, async () => {
    await page.goto(base);
    await page.getByTestId("services").waitFor();
    await page.getByTestId("time-range").click();
    await page.getByLabel("From").waitFor();
    await axe("time range", ".mantine-Popover-dropdown");
    await page.keyboard.press("Escape");
    await page.keyboard.press("Control+k");
    await page.getByRole("combobox", { name: "Search or go to" }).waitFor();
    await page.waitForTimeout(300);
    await axe("palette");
  });
}

if (emptyBase) {
  const fresh = await open("light");
  await check("an empty server says how to send, with its own address", fresh, async () => {
    await fresh.goto(emptyBase);
    await fresh.getByTestId("first-data").waitFor();
    const addresses = await fresh.getByTestId("endpoint").allTextContents();
    that(
      addresses.some((address) => address === new URL(emptyBase).origin),
      `one of ${addresses} is this server`,
    );
    for (const tab of ["curl", "Python", "Node", "Rust", "Collector"]) {
      await fresh.getByRole("tab", { name: tab }).click();
      await fresh.getByRole("region", { name: `${tab} snippet` }).waitFor();
    }
  });
  await check("an empty server says how to send metrics", fresh, async () => {
    await fresh.goto(`${emptyBase}/targets`);
    await fresh.getByTestId("empty").waitFor();
  });
  await check("an empty search says what to do", fresh, async () => {
    for (const path of ["/traces", "/logs"]) {
      await fresh.goto(emptyBase + path);
      const snippet = fresh.getByTestId("empty").getByRole("region", { name: "curl snippet" });
      that((await snippet.textContent()).includes(new URL(emptyBase).hostname), `${path} names this server`);
    }
    await fresh.goto(`${emptyBase}/rules`);
    await fresh.getByTestId("empty").waitFor();
  });
}

await browser.close();
console.log(`web e2e: ${passed} passed, ${failed} failed`);
process.exit(failed > 0 ? 1 : 0);
