// Drives Firefox for pytest by WebDriver BiDi: one command a line in, one answer a line out.
// It is run in the folder where puppeteer-core is installed.

import { createRequire } from "node:module";
import { createInterface } from "node:readline";

const puppeteer = createRequire(`${process.cwd()}/`)("puppeteer-core");
const { executable, extension, profile, prefs, window } = JSON.parse(process.argv[2]);

const browser = await puppeteer.launch({
  browser: "firefox",
  executablePath: executable,
  headless: true,
  userDataDir: profile,
  extraPrefsFirefox: prefs,
  // Without system access, an extension's pages may not be opened.
  args: ["--remote-allow-system-access", `--width=${window[0]}`, `--height=${window[1]}`],
  defaultViewport: { width: window[0], height: window[1] },
});
if (extension) {
  await browser.installExtension(extension);
}
const pages = new Map();

const commands = {
  async open() {
    const number = pages.size;
    pages.set(number, await browser.newPage());
    return number;
  },
  // Firefox never says that one of an extension's pages has arrived: set out, and wait for nothing.
  async go({ page, url }) {
    pages.get(page).goto(url, { timeout: 0 }).catch(() => {});
  },
  arrive: ({ page, url, script }) =>
    pages
      .get(page)
      .goto(url, { timeout: 20_000 })
      .then(() => pages.get(page).evaluate(script))
      .catch((error) => error.message),
  evaluate: ({ page, script }) => pages.get(page).evaluate(script),
  picture: ({ page, path }) => pages.get(page).screenshot({ path, fullPage: true }).then(() => ""),
  press: ({ page, key }) => pages.get(page).keyboard.press(key),
  close: ({ page }) => pages.get(page).close(),
};

const lines = createInterface({ input: process.stdin });
const answer = (content) => console.log(JSON.stringify(content));
answer({ value: await browser.version() });
for await (const line of lines) {
  const { command, ...values } = JSON.parse(line);
  await commands[command](values).then(
    (value) => answer({ value: value ?? null }),
    (error) => answer({ problem: error.message }),
  );
}
await browser.close();
