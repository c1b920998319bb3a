"use client";
// @ts-check
// The visitor's consent as a React hook, over `window.consentkit` and its events.
import { useMemo, useSyncExternalStore } from "react";

/** @typedef {import("./index.js").ConsentApi} ConsentApi */

// A page from the Python site has the script as soon as it is parsed; another page when the loader has put it in.
const SCRIPT_EVENTS = ["DOMContentLoaded", "consentready"];

/** @type {Promise<ConsentApi> | undefined} */
let loading;
let isReady = false;

/** Return the script's API, once it is in the page. */
function load() {
  return loading ??= new Promise(resolve => {
    const settle = () => {
      if (!window.consentkit) return;
      for (const name of SCRIPT_EVENTS) document.removeEventListener(name, settle);
      resolve(window.consentkit);
    };
    for (const name of SCRIPT_EVENTS) document.addEventListener(name, settle);
    settle();
  });
}

/** @param {() => void} notify */
function subscribe(notify) {
  document.addEventListener("consentchange", notify);
  if (!isReady)
    load().then(api => api.ready).then(() => {
      isReady = true;
      notify();
    });
  return () => document.removeEventListener("consentchange", notify);
}

/** Return the state, or null until the page is up to date. */
function readState() {
  return isReady && window.consentkit ? window.consentkit.state : null;
}

/** A server renders no visitor's answer, because its page may be kept for others. */
const readServerState = () => null;

/** @type {Pick<ConsentApi, "open" | "decide" | "change" | "withdraw">} */
const actions = {
  open: () => load().then(api => api.open()),
  decide: answers => load().then(api => api.decide(answers)),
  change: answers => load().then(api => api.change(answers)),
  withdraw: category => load().then(api => api.withdraw(category)),
};

/** Return the visitor's consent. The component is rendered again when it changes. */
export function useConsent() {
  const state = useSyncExternalStore(subscribe, readState, readServerState);
  return useMemo(() => ({
    ...actions,
    state,
    isReady: state != null,
    /** @type {ConsentApi["allows"]} */
    allows: (category, vendor) => state != null && !!window.consentkit?.allows(category, vendor),
  }), [state]);
}
