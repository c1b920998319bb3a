// @ts-check
// Links to the group's other sites, which take the visitor's choice along. The server rewrites them where it can; the
// script does it in pages that are the same for everybody, and after a decision on this page.
import { tag } from "./script_tag.js";
import { readCompanion } from "./state.js";

/** @param {MouseEvent} event */
function addHandoff(event) {
  const target = /** @type {Element} */ (event.target);
  const link = /** @type {HTMLAnchorElement | null | undefined} */ (target.closest?.("a[href]"));
  const [site, prefix, ...origins] = (tag.group || "").split(" ");
  if (!link || !readCompanion() || !origins.includes(link.origin)) return;
  if ((link.pathname + "/").startsWith(prefix + "/")) return;
  const parameters = new URLSearchParams({ iss: site, next: link.pathname + link.search });
  link.href = link.origin + prefix + "/handoff/start?" + parameters + link.hash;
}

if (tag.group) {
  // Captured, because the page may stop the event before it gets here.
  addEventListener("click", addHandoff, true);
  addEventListener("auxclick", addHandoff, true);
}
