// @ts-check
// Reloading the page where only the server can render it for the new state.
import { tag } from "./script_tag.js";
import { allowsSource, grantedItems } from "./state.js";

const LEAVING = 5e3;
let leftAt = 0;

/** Return the part of the state that only the server can render; always false for a page that has none. */
export function renderedState() {
  return tag.reload ? allowsSource(tag.reload) : tag.reload == "" && "" + grantedItems();
}

/**
 * Reload the page, but call nobody back who is leaving for another one. A page that is still there after some seconds,
 * because the other one could not be loaded, is reloaded then.
 */
export function reloadPage() {
  setTimeout(() => location.reload(), Date.now() - leftAt < LEAVING ? LEAVING : 0);
}

/** Take note that the visitor stays on this page. */
export function stayOnPage() {
  leftAt = 0;
}

window.navigation?.addEventListener("navigate", ({ destination, downloadRequest }) => {
  leftAt = destination.sameDocument || downloadRequest != null ? 0 : Date.now();
});
window.navigation?.addEventListener("navigatesuccess", stayOnPage);
