// @ts-check
// The tag that loads the script, and the addresses that follow from it.

const scriptElement = /** @type {HTMLScriptElement} */ (document.currentScript);

/** The attributes in which the server describes the visitor and the page. */
export const tag = /** @type {TagData} */ (/** @type {unknown} */ (scriptElement.dataset));

/** The page's nonce under a Content-Security-Policy. */
export const nonce = scriptElement.nonce;

/**
 * Return the value of a cookie, or an empty string without one.
 * @param {string} name
 */
export function readCookie(name) {
  return document.cookie.split("; ").find(cookie => cookie.startsWith(name + "="))?.slice(name.length + 1) || "";
}

/** Address of the consent pages, such as `https://example.org/consent`. */
export const baseUrl = scriptElement.src.replace(/\/assets\/[^/]*$/, "");
