// @ts-check
// Requests to the consent pages from a page of another origin, in place of server.js. They carry the visitor's cookies. What
// comes back leads to the origin of the consent pages, and says what this page cannot read from the companion cookie.
import { baseUrl, tag } from "./script_tag.js";
import { trustedTypesPolicy } from "./trusted_types.js";

/** Return the query for what is rendered with links and forms, whose pages cannot lead back to another origin. */
export function returnQuery() {
  return "?next=/";
}

/**
 * Fetch an address below the consent pages. An answer that is no success is an error.
 * @param {string} path
 * @param {RequestInit} [options]
 */
export async function request(path, options) {
  const response = await fetch(baseUrl + path, { ...options, credentials: "include" }).catch(() => {
    throw Error("consentkit: no answer. Is " + origin + " in frontends?");
  });
  if (!response.ok) throw Error("consentkit: " + response.status);
  tag.known = response.headers.get("Consent-State") || tag.known;
  if (!/html/.test(response.headers.get("Content-Type") || "")) return response;
  const html = await response.text();
  // Its addresses would lead to this page's origin.
  return new Response(html.replace(/(href|action|src)=.(?=\/[^/])/g, "$&" + new URL(baseUrl).origin));
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
