// @ts-check
// The banner and the links at the end of the page, as the server renders them.
import { showConfirmation } from "./confirmation.js";
import { tag } from "./script_tag.js";
import { fetchFragment } from "./server.js";

/** Fetch the banner for a public page, which cannot have it in its shared bytes. */
export async function showBanner() {
  if ("banner" in tag && !document.getElementById("cookie-consent"))
    document.body.prepend(await fetchFragment("/banner"));
}

export function removeBanner() {
  document.getElementById("cookie-consent")?.remove();
}

/**
 * Replace the settings link, which comes with a button that withdraws everything after a grant, and confirm an outcome.
 * @param {string | null} [outcome]
 */
export async function refreshFooter(outcome) {
  const footer = document.querySelector(".cookie-consent-footer");
  if (!footer && !outcome) return;
  const fragment = await fetchFragment("/settings", outcome ? "&outcome=" + outcome : "");
  const hadFocus = footer?.contains(document.activeElement);
  showConfirmation(fragment);
  const fresh = /** @type {HTMLElement} */ (fragment.querySelector(".cookie-consent-footer"));
  footer?.replaceWith(fresh);
  if (hadFocus) fresh.querySelector("a")?.focus();
}
