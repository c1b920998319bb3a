// @ts-check
// The settings page in a dialog, opened by the links that would lead to its page.
import { baseUrl, nonce } from "./script_tag.js";
import { request, returnQuery } from "./server.js";
import { trustedTypesPolicy } from "./trusted_types.js";

const LINKS = "a.site-privacy-settings,a.cookie-consent-manage";

/** @type {HTMLDialogElement | undefined} */
let openDialog;

export function closePreferences() {
  openDialog?.close();
}

/**
 * Open the settings. Closing it decides nothing, and returns the focus.
 * @param {Element | null} [opener]
 */
export async function openPreferences(opener = document.activeElement) {
  if (openDialog?.isConnected) return;
  const html = await (await request(returnQuery())).text();
  const dialog = openDialog = buildDialog(html);
  // The page has only the rules for its own parts.
  const styled = new Promise(resolve => {
    /** @type {HTMLLinkElement} */ (dialog.querySelector("link")).onload = resolve;
    setTimeout(resolve, 1e3);
  });
  dialog.onclose = () => {
    dialog.remove();
    if (opener?.isConnected) /** @type {HTMLElement} */ (opener).focus();
  };
  document.body.append(dialog);
  await styled;
  dialog.showModal();
}

/**
 * Move the main part of the settings page into a dialog.
 * @param {string} html
 */
function buildDialog(html) {
  const page = new DOMParser().parseFromString(trustedTypesPolicy.createHTML(html), "text/html");
  const main = /** @type {HTMLElement} */ (page.querySelector(".consent-main"));
  const title = /** @type {HTMLElement} */ (main.querySelector("h1"));
  const closeForm = /** @type {HTMLElement} */ (main.querySelector(".consent-close"));
  const { lang, dir } = page.documentElement;
  const dialog = document.createElement("dialog");
  const box = document.createElement("div");
  box.className = main.className;
  Object.assign(dialog, { className: "consent-page", lang, dir });
  dialog.setAttribute("aria-labelledby", title.id = "cookie-consent-title");
  const link = /** @type {HTMLLinkElement} */ (page.querySelector("link[rel=stylesheet]"));
  link.nonce = nonce;
  closeForm.hidden = false;
  box.append(...main.childNodes);
  dialog.append(link, box);
  return dialog;
}

/** @param {MouseEvent} event */
function openFromLink(event) {
  const target = /** @type {Element} */ (event.target);
  const link = /** @type {HTMLAnchorElement | null | undefined} */ (target.closest?.("a[href]"));
  if (!link || !(link.origin + link.pathname + "/").startsWith(baseUrl + "/")) return;
  // A library that swaps pages would show our pages without their style.
  event.stopPropagation();
  if (!link.matches(LINKS)) return;
  // The browser opens these in another tab or window, or downloads them.
  if (event.button || event.metaKey || event.ctrlKey || event.shiftKey || event.altKey) return;
  event.preventDefault();
  openPreferences(link).catch(() => location.href = link.href);
}

// Captured, before a library gets it.
document.addEventListener("click", openFromLink, true);
