// @ts-check
// Requests to the consent pages.
import { baseUrl } from "./script_tag.js";
import { trustedTypesPolicy } from "./trusted_types.js";

/** Return the query with the page to come back to, for what is rendered with links and forms. */
export function returnQuery() {
  return "?next=" + encodeURIComponent(location.pathname + location.search);
}

/**
 * Fetch an address below the consent pages. An answer that is no success is an error.
 * @param {string} path
 * @param {RequestInit} [options]
 */
export async function request(path, options) {
  const response = await fetch(baseUrl + path, options);
  if (!response.ok) throw Error("consentkit: " + response.status);
  return response;
}

/**
 * Fetch a part of a page, ready to be inserted.
 * @param {string} path
 * @param {string} [query]
 */
export async function fetchFragment(path, query = "") {
  const response = await request(path + returnQuery() + query);
  return document.createRange().createContextualFragment(trustedTypesPolicy.createHTML(await response.text()));
}
