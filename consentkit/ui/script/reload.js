// @ts-check
// Reloading the page where only the server can render it for the new state.
import { tag } from "./script_tag.js";
import { allowsSource, grantedItems } from "./state.js";

// Milliseconds after following a link. A visitor who is still on the page by then stays.
const LEAVING = 5e3;
let leftAt = 0;

/** Whether the page will be loaded again, so that nothing more may run in it. */
export let isRetired = false;

export function retirePage() {
  isRetired = true;
}

/** Return the part of the state that only the server can render. It is the same text on a page that depends on none. */
export function renderedState() {
  return "" + (tag.reload ? tag.reload.split(" ").map(allowsSource) : tag.reload == "" && grantedItems());
}

/**
 * Reload the page, unless the visitor is leaving for another page. If the visitor is still here some seconds later,
 * because the other page could not be loaded, reload then.
 */
export function reloadPage() {
  retirePage();
  setTimeout(loadAgain, Date.now() - leftAt < LEAVING ? LEAVING : 0);
}

/** Request the page again. To reload the answer to a form would send the form again. */
export function loadAgain() {
  if ("form" in tag) location.replace(location.pathname + location.search);
  else location.reload();
}

/** Reload without delay from now on, because the visitor is not leaving. */
export function stayOnPage() {
  leftAt = 0;
}

window.navigation?.addEventListener("navigate", ({ destination, downloadRequest }) => {
  leftAt = destination.sameDocument || downloadRequest != null ? 0 : Date.now();
});
window.navigation?.addEventListener("navigatesuccess", stayOnPage);
