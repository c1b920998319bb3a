// @ts-check
// The banner and the links at the end of the page, as the server renders them.
import { isWindow, showConfirmation } from "./confirmation.js";
import { tag } from "./script_tag.js";
import { fetchFragment } from "./server.js";
import { isUndecided } from "./state.js";

// How many banners may be fetched, for public pages and where a library swapped the page. A filter may remove each of them.
let banners = isWindow && ("banner" in tag || findBanner()) ? 99 : 0;
let isFetching = false;
let isAnswered = false;

// The page leaves as much space at its end as the banner takes, which is none where a filter of the browser hides it.
const bannerSize = new ResizeObserver(() => document.documentElement.style.setProperty("--cookie-consent-height",
  findBanner()?.offsetHeight + "px"));

function findBanner() {
  return document.getElementById("cookie-consent");
}

/** Fetch the banner for a page that does not have it, as public pages cannot in their shared bytes. A frame gets none. */
export async function showBanner() {
  if (isFetching || findBanner() || banners-- < 1) return;
  isFetching = true;
  document.body.prepend(await fetchFragment("/banner"));
  isFetching = false;
}

/**
 * Remove the banner, which may ask about more than is open now.
 * @param {boolean} needsAsking
 */
export function followAnswer(needsAsking) {
  isAnswered = !needsAsking;
  findBanner()?.remove();
}

/** Show the banner as long as it is not answered, also where a library swapped the page or took one from its own cache. */
export function keepBanner() {
  const banner = findBanner();
  if (banner) bannerSize.observe(banner);
  if (isUndecided()) showBanner();
  else if (banner && isAnswered) {
    banner.remove();
    refreshFooter();
  }
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
