// Drives a browser for a test: a JSON command a line on stdin, a JSON answer a line on stdout.
// Usage: node driver.mjs chromium|firefox EXECUTABLE DOWNLOADS [PREFERENCES OF FIREFOX]
import { readFile } from "node:fs/promises";
import { createRequire } from "node:module";
import { createInterface } from "node:readline";
import puppeteer from "puppeteer-core";

const [, , name, executablePath, downloads, preferences] = process.argv;
const axe = await readFile(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");
const firefox = {
  browser: "firefox",
  extraPrefsFirefox: {
    "browser.download.dir": downloads,
    "browser.download.folderList": 2,
    "layout.css.prefers-color-scheme.content-override": 0, // dark, unless the test wants light
    ...JSON.parse(preferences ?? "{}"),
  },
};
const chromium = { args: ["--no-sandbox", "--disable-gpu"], downloadBehavior: { policy: "allow", downloadPath: downloads } };
const patient = { timeout: 120000, protocolTimeout: 120000 }; // milliseconds: a busy machine is no failure
const browser = await puppeteer.launch({ executablePath, headless: true, ...patient, ...(name === "firefox" ? firefox : chromium) });
let page, requests, problems;

const commands = {
  async open({ url, width = 1400, height = 900, dark = false, script = true }) {
    if (page) await page.close();
    page = await browser.newPage();
    requests = [];
    problems = [];
    page.on("request", (request) => requests.push(request.url().slice(0, 300)));
    page.on("console", (message) => problems.push(`${message.type()}: ${message.text()}`));
    page.on("pageerror", (error) => problems.push(`error: ${error.message}`));
    page.on("dialog", (dialog) => { problems.push(`dialog: ${dialog.message()}`); dialog.accept(); });
    await page.setViewport({ width, height });
    if (name === "chromium") await page.emulateMediaFeatures([{ name: "prefers-color-scheme", value: dark ? "dark" : "light" }]);
    if (!script && name === "chromium") await page.setJavaScriptEnabled(false);
    const start = Date.now();
    await page.goto(url, { waitUntil: "load", timeout: 60000 });
    return Date.now() - start;
  },
  async press({ keys }) { for (const key of keys) await page.keyboard.press(key); },
  async evaluate({ code }) { return page.evaluate(code); },
  async until({ code }) { await page.waitForFunction(code, { timeout: 60000 }); },
  async click({ selector }) { await page.click(selector); },
  async drag({ start, end }) {
    await page.mouse.move(...start);
    await page.mouse.down();
    await page.mouse.move(...end, { steps: 3 });
    await page.mouse.up();
  },
  async upload({ selector, path }) { await (await page.$(selector)).uploadFile(path); },
  async axe() {
    await page.evaluate(axe);
    const { violations } = await page.evaluate("axe.run()");
    return violations.map(({ id, help, nodes }) => `${id}: ${help}: ${nodes.slice(0, 3).map((node) => node.html).join(" | ").slice(0, 400)}`);
  },
  async said() { return { requests, problems }; },
  async paper() { await page.emulateMediaType("print"); },
  async print({ path }) { await page.pdf({ path, preferCSSPageSize: true, format: "a4" }); },
  async shot({ path, full = false }) { await page.screenshot({ path, fullPage: full }); },
};

for await (const line of createInterface({ input: process.stdin })) {
  const { command, ...options } = JSON.parse(line);
  let answer;
  try {
    answer = { result: (await commands[command](options)) ?? null };
  } catch (error) {
    answer = { error: String(error) };
  }
  process.stdout.write(`${JSON.stringify(answer)}\n`);
}
await browser.close();
