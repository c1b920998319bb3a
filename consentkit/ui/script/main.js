// @ts-check
// The entry of the script, and its API for pages. The script runs what the visitor allows and nothing else, and avoids
// reloads. Forms and links work without it. ui/script_modules.py joins the modules into one script.
import { keepBanner, refreshFooter } from "./banner.js";
import { isWindow, placeConfirmation, takeOutcome } from "./confirmation.js";
import { requestDecision, withdraw } from "./decisions.js";
import { openPreferences } from "./dialog.js";
import "./forms.js";
import { openGates } from "./gates.js";
import { startGoogle } from "./google.js";
import { deleteLeftovers, hasStoredItems } from "./leftovers.js";
import { tag } from "./script_tag.js";
import { allows, currentState, hasForeignGrant, isOutdated } from "./state.js";
import "./synchronization.js";

/** Open gates and delete leftovers once the page is shown. A prerendered page runs nothing. */
async function start() {
  if (document.prerendering) await new Promise(resolve => document.addEventListener("prerenderingchange", resolve));
  placeConfirmation();
  if (hasForeignGrant || isOutdated) await requestDecision("GET");
  followPage();
  // The server confirms in every other page.
  const outcome = isWindow && tag.state == null && takeOutcome();
  if (outcome) refreshFooter(outcome);
  new MutationObserver(followPage).observe(document, { childList: true, subtree: true });
  if ("clear" in tag && await hasStoredItems()) await deleteLeftovers();
}

/** Bring our parts to the state of the visitor, at first and whenever the page changes. */
function followPage() {
  placeConfirmation();
  keepBanner();
  openGates();
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
