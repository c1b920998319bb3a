// @ts-check
// Gates: scripts and templates in the page that wait until their category, or their vendor, is allowed.
import { isRetired } from "./reload.js";
import { nonce } from "./script_tag.js";
import { allows } from "./state.js";
import { trustedTypesPolicy } from "./trusted_types.js";

const GATES = 'script[type="text/plain"][data-category],template[data-category]';
// In an attribute, the beginning of a tag shows that markup was injected in front of it, to take its nonce.
const SWALLOWED_TAG = /<(script|style|template)/i;
// Attributes that HTML does not allow on a script without `src`, which a gate therefore has with `data-` in front.
const HELD_ATTRIBUTE = /^data-(async|crossorigin|integrity|referrerpolicy)$/;

/** @type {{ category?: string, vendor?: string }[]} */
const openedGates = [];
/** Scripts that have run. Copies of them, which libraries that swap pages make, have not. */
const ranScripts = new WeakSet();
let isOpening = false;
let hasWarned = false;

/** Check whether something has run that is no longer allowed. Only a reload stops it. */
export function hasRunWithdrawn() {
  return openedGates.some(({ category, vendor }) => !allows(category, vendor));
}

/** Open every gate that is allowed, one after another in the order of the page, unless the page will be loaded again. */
export async function openGates() {
  // Turbo shows an earlier copy of a page until the page has arrived.
  if (isOpening || "turboPreview" in document.documentElement.dataset) return;
  isOpening = true;
  for (let gate; !isRetired && (gate = findAllowedGate());) {
    await yieldToBrowser();
    const { category, vendor } = gate.dataset;
    // During the pause the visitor may have decided, or the page removed the gate.
    if (isRetired || !gate.isConnected || !allows(category, vendor)) continue;
    openedGates.push({ category, vendor });
    try {
      await (gate instanceof HTMLTemplateElement ? insertTemplate(gate) : runScript(gate));
    } catch (error) {
      console.error(error);
      gate.remove();
    }
  }
  isOpening = false;
}

function findAllowedGate() {
  /** @type {NodeListOf<HTMLScriptElement | HTMLTemplateElement>} */
  const gates = document.querySelectorAll(GATES);
  return [...gates].find(gate => !ranScripts.has(gate) && allows(gate.dataset.category, gate.dataset.vendor) && isOfPage(gate));
}

/**
 * Check whether the page itself wrote a gate. Where the page has a nonce, a script needs the same one: otherwise injected
 * markup would run with ours. A template may lack it, because it passes on to its scripts only what it has.
 * @param {HTMLScriptElement | HTMLTemplateElement} gate
 */
function isOfPage(gate) {
  if (!nonce || [...gate.attributes].every(({ name, value }) => !SWALLOWED_TAG.test(name + value)) &&
    (gate instanceof HTMLTemplateElement || gate.nonce == nonce)) return true;
  if (!hasWarned) console.warn("consentkit: not run, because it lacks the page's nonce; add nonce=…", gate);
  hasWarned = true;
  return false;
}

/** @returns {Promise<unknown>} */
function yieldToBrowser() {
  return window.scheduler?.yield?.() || new Promise(resolve => setTimeout(resolve));
}

/**
 * Replace a gate by a script that runs, because browsers ignore a change of type. Return a promise to wait for if later
 * scripts may depend on this one.
 * @param {HTMLScriptElement} gate
 */
function runScript(gate) {
  const script = document.createElement("script");
  for (const { name, value } of gate.attributes)
    if (!/^(type|(data-)?src|nonce)$/.test(name)) script.setAttribute(name.replace(HELD_ATTRIBUTE, "$1"), value);
  const { type = "" } = gate.dataset;
  const src = gate.dataset.src || gate.getAttribute("src");
  script.type = type;
  script.async = script.hasAttribute("async");
  script.nonce = nonce || gate.nonce;
  if (src) script.src = trustedTypesPolicy.createScriptURL(src);
  else script.text = trustedTypesPolicy.createScript(gate.text);
  const loaded = src && !script.async && /^$|module|javascript/.test(type) &&
    new Promise(resolve => script.onload = script.onerror = resolve);
  gate.replaceWith(script);
  // Only changes what a copy does, which is a gate again.
  script.type = "text/plain";
  ranScripts.add(script);
  return loaded;
}

/**
 * Replace a template by its content. Scripts in it become gates, so that they run in their turn, and with its nonce.
 * @param {HTMLTemplateElement} gate
 */
function insertTemplate(gate) {
  const content = document.importNode(gate.content, true);
  /** @type {NodeListOf<HTMLScriptElement | HTMLTemplateElement>} */
  const inner = content.querySelectorAll("script,template");
  for (const element of inner) element.nonce ||= gate.nonce;
  for (const script of content.querySelectorAll("script")) {
    const { type, dataset } = script;
    const src = script.getAttribute("src");
    if (dataset.category) continue;
    Object.assign(dataset, { ...gate.dataset }, type && { type }, src && { src });
    script.removeAttribute("src");
    script.type = "text/plain";
  }
  gate.replaceWith(content);
}
