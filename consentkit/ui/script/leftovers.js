// @ts-check
// Leftovers: declared cookies and stored items that are not, or no longer, allowed.
import { request } from "./server.js";
import { allows } from "./state.js";
import { tag } from "./script_tag.js";

/** Check whether this origin stores anything that only a script can delete. */
export async function hasStoredItems() {
  return localStorage.length || sessionStorage.length ||
    (await indexedDB.databases()).length || (await window.caches?.keys())?.length;
}

/** Delete leftovers of every kind. What no declaration matches stays. */
export async function deleteLeftovers() {
  // What htmx shows when the visitor goes back may hold what is no longer allowed.
  sessionStorage.removeItem("htmx-history-cache");
  const response = await request("/policy.json?" + tag.notice, { cache: "force-cache" });
  /** @type {{ trackers: Tracker[] }} */
  const { trackers } = await response.json();

  /**
   * @param {string} kind
   * @param {string[]} names
   * @param {(name: string, tracker: Tracker) => unknown} remove
   */
  const sweep = (kind, names, remove) => {
    for (const name of names)
      for (const tracker of closestMatches(trackers.filter(declared => declared.kind == kind), name))
        if (!tracker.third_party && !allows(tracker.category, tracker.vendor)) remove(name, tracker);
  };
  sweep("cookie", document.cookie.split("; ").map(cookie => cookie.split("=")[0]), deleteCookie);
  sweep("local_storage", Object.keys(localStorage), name => localStorage.removeItem(name));
  sweep("session_storage", Object.keys(sessionStorage), name => sessionStorage.removeItem(name));
  sweep("indexed_db", (await indexedDB.databases()).map(({ name }) => name || ""), name =>
    indexedDB.deleteDatabase(name));
  sweep("cache_storage", await window.caches?.keys() || [], name => caches.delete(name));
}

/**
 * Return the declarations that match a name most exactly, as the server's gate does: the name itself before any
 * pattern, and of the patterns the longest.
 * @param {Tracker[]} trackers
 * @param {string} name
 */
function closestMatches(trackers, name) {
  /** @param {Tracker} tracker */
  const exactness = ({ name: pattern }) => pattern == name ? Infinity :
    pattern.endsWith("*") && name.startsWith(pattern.slice(0, -1)) ? pattern.length : 0;
  const highest = Math.max(...trackers.map(exactness));
  return trackers.filter(tracker => highest && exactness(tracker) == highest);
}

/**
 * Expire a cookie for every domain that it may have been set for: whatever is declared, tags prefer the widest domain
 * that the browser accepts.
 * @param {string} name
 * @param {Tracker} tracker
 */
function deleteCookie(name, { domain, path, partitioned }) {
  const domains = location.hostname.split(".").map((_, start, labels) => labels.slice(start).join("."));
  for (const target of ["", domain, ...domains])
    document.cookie = `${name}=; Max-Age=0; Path=${path}${target ? "; Domain=" + target : ""}${
      isSecureContext ? "; Secure" : ""}${partitioned ? "; Partitioned" : ""}`;
}
