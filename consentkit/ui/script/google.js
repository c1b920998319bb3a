// @ts-check
// Google Consent Mode in its basic form: the default before anything else, then every change. No tag of Google runs
// before it is allowed.
import { tag } from "./script_tag.js";
import { allowsSource } from "./state.js";

/** @param {"default" | "update"} command */
export function signalGoogle(command) {
  if (!tag.google) return;
  const [analytics, advertising] = tag.google.split(",").map(sources =>
    sources.split("+").every(allowsSource) ? "granted" : "denied");
  window.gtag("consent", command, {
    ad_storage: advertising,
    ad_user_data: advertising,
    ad_personalization: advertising,
    analytics_storage: analytics,
    functionality_storage: "granted",
    personalization_storage: advertising,
    security_storage: "granted",
  });
  window.gtag("set", "ads_data_redaction", advertising == "denied");
  window.gtag("set", "url_passthrough", false);
}

export function startGoogle() {
  if (!tag.google) return;
  // What the page queued before comes after the default.
  const queued = (window.dataLayer ||= []).splice(0);
  // Google reads only entries that are `arguments` objects, and ignores arrays.
  window.gtag ||= function () { window.dataLayer.push(arguments); };
  signalGoogle("default");
  window.dataLayer.push(...queued);
}
