// @ts-check
// What the library left out, for developers: cookies that were not set, and pages and frames without a banner. Pages have
// this script with ConsentManager(debug=True) alone.

const dropped = /** @type {HTMLScriptElement} */ (document.currentScript).dataset.dropped;

/** @param {PerformanceObserverEntryList} entries */
function showReasons(entries) {
  for (const { name, serverTiming = [] } of /** @type {PerformanceResourceTiming[]} */ (entries.getEntries()))
    for (const timing of serverTiming)
      if (timing.name == "consentkit") console.info("consentkit: " + timing.description, name);
}

if (dropped) console.warn("consentkit: cookies not set, for want of consent: " + dropped);
for (const type of ["navigation", "resource"]) new PerformanceObserver(showReasons).observe({ type, buffered: true });
