// @ts-check
// The loader, for pages that Python does not send. It puts into a page what pages for all visitors get from the server:
// style, script and settings link. All addresses follow from its own, so that the page may be on another origin.

const own = /** @type {HTMLScriptElement} */ (document.currentScript);
const base = own.src.replace(/\/loader\.js.*/, "");
const home = new URL(base).origin;
const isRemote = home != location.origin;

/** The server replaces this text. */
const page = /** @type {LoaderData} */ (/** @type {unknown} */ ("consentkit page"));

/** @param {string} name */
function assetUrl(name) {
  return base + "/assets/" + name;
}

function load() {
  // The server has done it, or another copy of the loader.
  if (document.querySelector("script[data-notice]")) return;
  /** @param {string} text */
  const unchanged = text => text;
  const rules = { createHTML: unchanged, createScript: unchanged, createScriptURL: unchanged };
  const trusted = window.trustedTypes?.createPolicy("consentkit-loader", rules) || rules;
  /** @type {(name: string, data: Record<string, string>) => HTMLScriptElement} */
  const scriptOf = (name, data) => {
    const script = document.createElement("script");
    Object.assign(script.dataset, data);
    script.nonce = own.nonce;
    script.crossOrigin = own.crossOrigin;
    script.src = trusted.createScriptURL(assetUrl(name));
    return script;
  };
  const script = isRemote ? scriptOf(page.remote, { ...page.tag, known: "?" }) : scriptOf(page.script, page.tag);
  script.onload = () => document.dispatchEvent(new CustomEvent("consentready"));
  const style = document.createElement("style");
  style.nonce = own.nonce;
  style.textContent = page.style;
  document.head.prepend(style, script);
  const extra = isRemote ? page.remoteExtra : page.extra;
  for (const name in extra) document.head.append(scriptOf(name, extra[name] || {}));
  // The page's Content-Security-Policy may forbid rules inside the page.
  if (!style.sheet) {
    const link = document.createElement("link");
    link.rel = "stylesheet";
    link.href = assetUrl(page.stylesheet);
    style.replaceWith(link);
  }
  if ("noSettingsLink" in own.dataset || document.querySelector(".site-privacy-settings")) return;
  const settings = page.settings.replace(/href=.(?=\/)/g, "$&" + home);
  document.body.append(document.createRange().createContextualFragment(trusted.createHTML(settings)));
}

if (document.readyState == "loading") document.addEventListener("DOMContentLoaded", load);
else load();
