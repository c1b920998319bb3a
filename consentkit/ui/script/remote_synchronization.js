// @ts-check
// Pages of another origin that do not show the latest decision, in place of synchronization.js. They cannot see the cookie
// change, so they ask the server when another tab of theirs announces a decision, and when the visitor comes back.
import { decisionChannel, synchronize } from "./decisions.js";
import { request } from "./server.js";

/** Read the state from the server, and follow it if it is new. */
async function askAgain() {
  await request("/decision").catch(console.warn);
  synchronize();
}

decisionChannel.onmessage = askAgain;
// A page that comes back from the history becomes visible too.
document.addEventListener("visibilitychange", () => document.hidden || askAgain());
