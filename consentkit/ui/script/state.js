// @ts-check
// What the visitor allows. A state is written as in the companion cookie, as items joined by dots:
//   analytical   a granted category
//   ~youtube     a vendor whose answer differs from its category's
//   _0a1b2c3d4e5 the beginning of the notice's digest
//   -            nothing is granted
//   ~            nothing is answered
import { readCookie, tag } from "./script_tag.js";

/** Return the value of the companion cookie, or an empty string without one. */
export function readCompanion() {
  return tag.known ?? readCookie(tag.cookie);
}

/** The companion cookie that the page follows. */
let followedCompanion = readCompanion();

/** Whether the companion cookie grants something under another notice, which only the server can evaluate. */
export const hasForeignGrant =
  tag.state == null && /^[^-]/.test(followedCompanion) && !followedCompanion.includes("_" + tag.notice.slice(0, 11));

/** Whether the page was rendered for another state: requested before a decision, or taken from a cache. */
export const isOutdated = tag.state != null &&
  (followedCompanion ? followedCompanion != tag.state : tag.state != tag.default && tag.state != tag.gpc);

const defaultState = navigator.globalPrivacyControl && tag.gpc || tag.default;
let stateItems = (tag.state ?? (hasForeignGrant ? "-" : followedCompanion || defaultState)).split(".");

export function currentState() {
  return stateItems.join(".");
}

/** Return the granted categories and the vendors that differ, without the notice. */
export function grantedItems() {
  return stateItems.filter(item => /^~?[a-z]/.test(item));
}

/** Check whether the visitor has neither granted nor refused anything. */
export function isUndecided() {
  return stateItems.includes("~");
}

/** Check whether the companion cookie shows a decision that the page does not follow yet. */
export function hasNewDecision() {
  return readCompanion() != followedCompanion;
}

/** @param {string} state */
export function followState(state) {
  stateItems = state.split(".");
  followedCompanion = readCompanion();
}

/** @type {Set<string>} */
const reportedNames = new Set();

/**
 * Check whether a category is allowed, or a vendor of it. What the policy does not list is not allowed.
 * @param {string} [category]
 * @param {string | null} [vendor]
 */
export function allows(category = "", vendor) {
  const name = category + (vendor == null ? "" : ":" + vendor);
  if (!tag.policy.split(" ").includes(name)) {
    if (!reportedNames.has(name)) console.warn("consentkit: not in the policy, so not allowed:", name);
    reportedNames.add(name);
    return false;
  }
  const vendorDiffers = !!vendor && stateItems.includes("~" + vendor);
  return tag.required.split(" ").includes(category) || stateItems.includes(category) != vendorDiffers;
}

/**
 * Check `category` or `category:vendor`, as the tag's attributes write it.
 * @param {string} source
 */
export function allowsSource(source) {
  const [category, vendor] = source.split(":");
  return allows(category, vendor);
}
