// @ts-check
// A page of another origin, and the frames with placeholders in it: each hears from the other that there is a decision, and
// asks the server for it. Both load this script, if the site has front ends.

const framesScript = /** @type {HTMLScriptElement} */ (document.currentScript);
const MESSAGE = "consentkit decision";
// In a frame it has the front ends. A page hears the consent pages alone.
const origins = framesScript.dataset.origins;
const heard = (origins || new URL(framesScript.src).origin).split(" ");
const channel = new BroadcastChannel("consentkit");

/** @returns {Iterable<Window | null>} */
function others() {
  if (origins) return [parent];
  const embeds = framesScript.src.replace(/assets\/[^/]*$/, "embed/");
  /** @type {NodeListOf<HTMLIFrameElement>} */
  const frames = document.querySelectorAll(`iframe[src^="${embeds}"]`);
  return [...frames].map(frame => frame.contentWindow);
}

document.addEventListener("consentchange", () => {
  // To whoever is there, because it says nothing about the decision. A frame that is not loaded yet is of no origin.
  for (const other of others()) other?.postMessage(MESSAGE, "*");
});
addEventListener("message", ({ data, origin }) => {
  if (data == MESSAGE && heard.includes(origin)) channel.postMessage("");
});
