// @ts-check
// Decisions: sending them to the server, and updating the page without a reload if none is needed.
import { refreshFooter, removeBanner, showBanner } from "./banner.js";
import { closePreferences } from "./dialog.js";
import { hasRunWithdrawn, openGates } from "./gates.js";
import { signalGoogle } from "./google.js";
import { deleteLeftovers } from "./leftovers.js";
import { reloadPage, renderedState, retirePage } from "./reload.js";
import { request } from "./server.js";
import { followState, hasNewDecision } from "./state.js";

/** Channel that announces new decisions to the site's other tabs and frames. */
export const decisionChannel = new BroadcastChannel("consentkit");
let isRequesting = false;

/**
 * Send or read a decision, and follow the server's answer in the page.
 * @param {"GET" | "POST" | "PATCH" | "DELETE"} method
 * @param {object} [body]
 * @param {string} [query]
 * @returns {Promise<Decision>}
 */
export async function requestDecision(method, body, query = "") {
  isRequesting = true;
  try {
    const response = await request("/decision" + query, {
      method,
      keepalive: true,
      headers: body && { "Content-Type": "application/json" },
      body: body && JSON.stringify(body),
    });
    const decision = await response.json();
    const state = response.headers.get("Consent-State") || "-";
    if (method != "GET") decisionChannel.postMessage(state);
    await followDecision(decision, state);
    return decision;
  } finally {
    isRequesting = false;
  }
}

/**
 * Withdraw the category in the parameters, or everything.
 * @param {Record<string, string>} parameters
 */
export function withdraw(parameters) {
  return requestDecision("DELETE", undefined, "?" + new URLSearchParams(parameters));
}

/** Ask the server for a decision that was taken elsewhere. */
export function synchronize() {
  if (!isRequesting && hasNewDecision()) requestDecision("GET").catch(console.warn);
}

/**
 * Bring the page to the state that follows from a decision.
 * @param {Decision} decision
 * @param {string} state
 */
async function followDecision(decision, state) {
  const stateBefore = renderedState();
  followState(state);
  const mustReload = hasRunWithdrawn() || stateBefore != renderedState();
  // At once, because every change of the page opens gates.
  if (mustReload) retirePage();
  signalGoogle("update");
  document.dispatchEvent(new CustomEvent("consentchange", { detail: decision }));
  if (!decision.needs_asking) removeBanner();
  closePreferences();
  const answers = [decision.categories, decision.vendors].flatMap(Object.values);
  if (!answers.every(Boolean)) await deleteLeftovers().catch(console.warn);
  if (mustReload) return reloadPage();
  openGates();
  if (decision.needs_asking) await showBanner();
  await refreshFooter();
}
