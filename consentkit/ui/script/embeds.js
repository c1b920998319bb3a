// @ts-check
// Embeds: frames that hold a vendor's content, or a placeholder until it is allowed.
import { request } from "./server.js";

/**
 * Load a vendor's content once, without a decision. The frame's address is replaced, so that the history of the page
 * around it gets no entry.
 * @param {string} path
 */
export async function loadEmbedOnce(path) {
  location.replace((await request(path, { method: "POST" })).url);
}
