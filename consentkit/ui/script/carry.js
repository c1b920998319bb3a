// @ts-check
// The page from which the browser goes on to the other sites. It first asks whether they are there, all at once and
// without cookies, so that one that is absent is left out. Without this script the browser goes on at once.

const section = /** @type {HTMLElement} */ (document.querySelector(".consent-carry"));

/**
 * Return the id of a site that does not answer within five seconds, and nothing for one that does.
 * @param {string} site
 */
async function findSilent(site) {
  const [id, origin] = site.split("=");
  const signal = AbortSignal.timeout?.(5000);
  try {
    await fetch(origin + "/.well-known/gpc.json", { mode: "no-cors", credentials: "omit", cache: "no-store", signal });
    return "";
  } catch {
    return id;
  }
}

async function goOn() {
  const { sites = "", asking = "", next } = section.dataset;
  /** @type {HTMLElement} */ (section.querySelector("p")).textContent = asking;
  const silent = await Promise.all(sites.split(" ").map(findSilent));
  location.replace(next + "&skip=" + silent.filter(Boolean));
}

goOn();
