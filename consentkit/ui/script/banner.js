// @ts-check
// The banner and the links at the end of the page, as the server renders them.
import { isWindow, showConfirmation } from "./confirmation.js";
import { tag } from "./script_tag.js";
import { fetchFragment } from "./server.js";

// The page leaves as much space at its end as the banner takes, which is none where a filter of the browser hides it.
const bannerSize = new ResizeObserver(() => document.documentElement.style.setProperty("--cookie-consent-height",
  findBanner()?.offsetHeight + "px"));

function findBanner() {
  return document.getElementById("cookie-consent");
}

/** Fetch the banner for a public page, which cannot have it in its shared bytes. A frame gets none. */
export async function showBanner() {
  if (isWindow && "banner" in tag && !findBanner()) document.body.prepend(await fetchFragment("/banner"));
  measureBanner();
}

export function measureBanner() {
  const banner = findBanner();
  if (banner) bannerSize.observe(banner);
}

export function removeBanner() {
  findBanner()?.remove();
}

/**
 * Replace the settings link, which comes with a button that withdraws everything after a grant, and confirm an outcome.
 * @param {string | null} [outcome]
 */
export async function refreshFooter(outcome) {
  const footer = document.querySelector(".site-privacy");
  if (!footer && !outcome) return;
  const fragment = await fetchFragment("/settings", outcome ? "&outcome=" + outcome : "");
  const hadFocus = footer?.contains(document.activeElement);
  showConfirmation(fragment);
  const fresh = /** @type {HTMLElement} */ (fragment.querySelector(".site-privacy"));
  footer?.replaceWith(fresh);
  if (hadFocus) fresh.querySelector("a")?.focus();
}
