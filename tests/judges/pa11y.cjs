// Judge pages with pa11y's runner of HTML_CodeSniffer: node pa11y.cjs MODULES CHROMIUM < jobs > findings
// The other runner of pa11y is axe-core, which the walk runs already.
const [modules, executablePath] = process.argv.slice(2);
const puppeteer = require(`${modules}/puppeteer`);
const pa11y = require(`${modules}/pa11y`);
const jobs = JSON.parse(require("fs").readFileSync(0, "utf-8"));

const judge = async (browser, { url, cookies, language, width }) => {
  const context = await browser.createBrowserContext();
  const page = await context.newPage();
  await page.setExtraHTTPHeaders({ "Accept-Language": language });
  await page.setBypassCSP(true); // for the judge, which is a script
  await page.setViewport({ width, height: 844 });
  if (cookies.length) await page.setCookie(...cookies.map(cookie => ({ ...cookie, url })));
  await page.goto(url, { waitUntil: "load" });
  const { issues } = await pa11y(url, {
    browser, page, ignoreUrl: true, viewport: { width, height: 844 }, runners: ["htmlcs"], standard: "WCAG2AA", timeout: 60000,
  });
  await context.close();
  return issues.map(({ code, message, selector, context: element }) => ({ code, message, selector, element }));
};

(async () => {
  const browser = await puppeteer.launch({
    executablePath,
    args: ["--no-sandbox", "--disable-dev-shm-usage", "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE localhost, EXCLUDE *.localhost"],
  });
  const found = [];
  for (const job of jobs) {
    found.push(await judge(browser, job).catch(error => {
      throw new Error(`${job.url} at ${job.width} px: ${error.stack}`);
    }));
  }
  await browser.close();
  console.log(JSON.stringify(found));
})().catch(error => {
  console.error(error.message);
  process.exit(2);
});
