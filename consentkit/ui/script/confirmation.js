// @ts-check
// The line that confirms a choice in words, as the server renders it.
import { readCookie, tag } from "./script_tag.js";

const COOKIE = tag.cookie.replace("Secure", "Host").replace("state", "from");

/** The element that screen readers watch. They read what is put into it later, so it exists before that. */
let line = document.createElement("div");

/** Whether the page is in no frame. A choice in a frame is confirmed in the page around it. */
export const isWindow = window.top == window;

/** Put the line into the page unless it is there, and focus it if the server has filled it. */
export function placeConfirmation() {
  if (!isWindow || line.isConnected) return;
  line = document.querySelector(".site-privacy-status") || line;
  Object.assign(line, { className: "site-privacy-status", role: "status", tabIndex: -1 });
  // A closed line leaves the focus where it was.
  line.addEventListener("close", focusConfirmation, true);
  if (line.isConnected) focusConfirmation();
  else document.body.append(line);
}

/** @param {ParentNode} fragment */
export function showConfirmation(fragment) {
  const filled = fragment.querySelector(".site-privacy-status");
  if (filled) line.replaceChildren(...filled.childNodes);
}

export function focusConfirmation() {
  line.focus({ preventScroll: true });
}

/**
 * Keep the code of an outcome for the page that is loaded next.
 * @param {string} outcome
 * @param {number} [seconds]
 */
export function rememberOutcome(outcome, seconds = 60) {
  document.cookie = `${COOKIE}=${outcome}; Path=/; SameSite=Lax; Max-Age=${seconds}${/^_/.test(COOKIE) ? "; Secure" : ""}`;
}

/** Return the code that was kept, and forget it. */
export function takeOutcome() {
  const outcome = readCookie(COOKIE);
  if (outcome) rememberOutcome("", 0);
  return outcome;
}
