// @ts-check
// The banner and the links at the end of the page, as the server renders them.
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

/** Replace the settings link; after a grant it comes with a button that withdraws everything. */
export async function refreshFooter() {
  document.querySelector(".cookie-consent-footer")?.replaceWith(await fetchFragment("/settings"));
}
