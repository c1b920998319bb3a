// @ts-check
// Decisions: sending them to the server, and updating the page without a reload if none is needed.
import { followAnswer, refreshFooter, showBanner } from "./banner.js";
import { focusConfirmation, isWindow, rememberOutcome } from "./confirmation.js";
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
let frameOutcome = "";

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
    const outcome = response.headers.get("Consent-Outcome");
    if (method != "GET") decisionChannel.postMessage(outcome);
    await followDecision(decision, state, isWindow && outcome || takeFrameOutcome());
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

/**
 * Ask the server for a decision that was taken elsewhere.
 * @param {string | false | null} [outcome] code of the outcome, if a frame of this page decided
 */
export function synchronize(outcome) {
  if (outcome && isWindow) frameOutcome = outcome;
  if (isRequesting) return;
  if (hasNewDecision()) requestDecision("GET").catch(console.warn);
  else if (frameOutcome) refreshFooter(takeFrameOutcome());
}

function takeFrameOutcome() {
  const outcome = frameOutcome;
  frameOutcome = "";
  return outcome;
}

/**
 * Bring the page to the state that follows from a decision, and confirm the decision.
 * @param {Decision} decision
 * @param {string} state
 * @param {string} outcome
 */
async function followDecision(decision, state, outcome) {
  const focused = document.activeElement;
  const stateBefore = renderedState();
  followState(state);
  const mustReload = hasRunWithdrawn() || stateBefore != renderedState();
  // At once, because every change of the page opens gates.
  if (mustReload) retirePage();
  signalGoogle("update");
  document.dispatchEvent(new CustomEvent("consentchange", { detail: decision }));
  followAnswer(decision.needs_asking);
  closePreferences();
  const answers = [decision.categories, decision.vendors].flatMap(Object.values);
  if (!answers.every(Boolean)) await deleteLeftovers().catch(console.warn);
  if (mustReload) {
    if (outcome) rememberOutcome(outcome);
    return reloadPage();
  }
  openGates();
  if (decision.needs_asking) await showBanner();
  await refreshFooter(outcome).catch(console.warn);
  // What had the focus may be gone. Screen readers would then start again at the top of the page.
  if (outcome && focused != document.body && document.activeElement == document.body) focusConfirmation();
}
