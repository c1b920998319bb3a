// @ts-check
// Pages that do not show the latest decision: in another tab, in a frame, from the history, or prerendered.
import { decisionChannel, synchronize } from "./decisions.js";
import { loadAgain, reloadPage, stayOnPage } from "./reload.js";
import { followState, hasNewDecision, isOutdated } from "./state.js";

function reloadIfOutdated() {
  if (hasNewDecision()) reloadPage();
}

// A page has the focus while one of its frames has it, and no other window has it then.
decisionChannel.onmessage = ({ data }) => synchronize(document.hasFocus() && data);
window.cookieStore?.addEventListener("change", () => synchronize());
document.addEventListener("prerenderingchange", reloadIfOutdated);
addEventListener("pageshow", event => {
  if (!event.persisted) return;
  stayOnPage();
  reloadIfOutdated();
});

// A page from the history is loaded again, with nothing allowed until then.
const navigationEntry = performance.getEntriesByType("navigation")[0];
if (isOutdated && /** @type {any} */ (navigationEntry)?.type == "back_forward") {
  followState("-");
  loadAgain();
}
