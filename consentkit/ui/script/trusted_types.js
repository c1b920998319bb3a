// @ts-check
// The Trusted Types policy `consentkit`, which a site allows where it enforces Trusted Types.

/** @param {string} text */
const unchanged = text => text;

const trustedRules = { createHTML: unchanged, createScript: unchanged, createScriptURL: unchanged };

export const trustedTypesPolicy = window.trustedTypes?.createPolicy("consentkit", trustedRules) || trustedRules;
