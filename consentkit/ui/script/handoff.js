// @ts-check
// Links to the group's other sites, which take the visitor's choice along. The server rewrites them where it can; this
// script does it in pages that are the same for everybody, and after a decision on the page. Only pages of a group have it.

// `group` is this site, the prefix, and the origins of the group's other sites; `cookie` names the companion cookie, which a page
// of another origin cannot read.
const data = /** @type {HTMLScriptElement} */ (document.currentScript).dataset;

/** Check whether the visitor has answered. */
function hasChosen() {
  const { cookie } = data;
  if (!cookie) return !!window.consentkit && !window.consentkit.state.split(".").includes("~");
  return document.cookie.split("; ").some(pair => pair.startsWith(cookie + "=") && pair != cookie + "=");
}

/** @param {MouseEvent} event */
function addHandoff(event) {
  const target = /** @type {Element} */ (event.target);
  const link = /** @type {HTMLAnchorElement | null | undefined} */ (target.closest?.("a[href]"));
  const { group = "" } = data;
  const [site, prefix, ...origins] = group.split(" ");
  if (!link || !hasChosen() || !origins.includes(link.origin)) return;
  if ((link.pathname + "/").startsWith(prefix + "/")) return;
  const parameters = new URLSearchParams({ iss: site, next: link.pathname + link.search });
  link.href = link.origin + prefix + "/handoff/start?" + parameters + link.hash;
}

// Captured, because the page may stop the event before it gets here.
addEventListener("click", addHandoff, true);
addEventListener("auxclick", addHandoff, true);
