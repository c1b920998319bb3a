// @ts-check
// The entry of the script, and its API for pages. The script runs what the visitor allows and nothing else, and avoids
// reloads. Forms and links work without it. ui/script_modules.py joins the modules into one script.
import { measureBanner, refreshFooter, showBanner } from "./banner.js";
import { isWindow, prepareConfirmation, takeOutcome } from "./confirmation.js";
import { requestDecision, withdraw } from "./decisions.js";
import { openPreferences } from "./dialog.js";
import "./forms.js";
import { openGates } from "./gates.js";
import { startGoogle } from "./google.js";
import "./handoff.js";
import { deleteLeftovers, hasStoredItems } from "./leftovers.js";
import { tag } from "./script_tag.js";
import { allows, currentState, hasForeignGrant, isOutdated, isUndecided } from "./state.js";
import "./synchronization.js";

/** Open gates and delete leftovers once the page is shown. A prerendered page runs nothing. */
async function start() {
  if (document.prerendering) await new Promise(resolve => document.addEventListener("prerenderingchange", resolve));
  if (isWindow) prepareConfirmation();
  measureBanner();
  if (hasForeignGrant || isOutdated) await requestDecision("GET");
  else if (isUndecided()) showBanner();
  openGates();
  // The server confirms in every other page.
  const outcome = isWindow && tag.state == null && takeOutcome();
  if (outcome) refreshFooter(outcome);
  new MutationObserver(openGates).observe(document, { childList: true, subtree: true });
  if ("clear" in tag && await hasStoredItems()) await deleteLeftovers();
}

startGoogle();

/** Where a decision of the API was taken, for its record. */
const choiceContext = { notice: tag.notice, language: tag.language, surface: "api" };

window.consentkit = {
  get state() { return currentState(); },
  allows,
  open: () => openPreferences(),
  decide: answers =>
    requestDecision("POST", { ...choiceContext, ...(typeof answers == "string" ? { choice: answers } : answers) }),
  change: answers => requestDecision("PATCH", { ...choiceContext, ...answers }),
  withdraw: category => withdraw({ ...choiceContext, ...(category && { category }) }),
  ready: start().catch(console.warn),
};
