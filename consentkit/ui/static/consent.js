// @ts-check
// Runs what a visitor allowed and nothing else, and saves a reload where one is not needed. Everything here is an
// improvement: the forms and links work without it. Comments stand on lines of their own and are not served.
//
// The tag that loads it carries what it has to know:
//   data-state     what the page was rendered with, as the companion cookie writes it; absent on public pages
//   data-default   what holds while the companion cookie is absent
//   data-gpc       the same for who sends Global Privacy Control
//   data-cookie    name of the companion cookie
//   data-notice    digest of the notice that the page was rendered under; the companion has its first eleven letters
//   data-language  of that page
//   data-required  categories that are always on, separated by spaces
//   data-google    what the signals of Google Consent Mode follow from, see signals.py
//   data-banner    on public pages: the banner may be fetched
//   data-clear     things may be stored that are not allowed
//   data-group     this site, the prefix, and the origins of the group's other sites, to which links take a choice along
//   data-reload    the page depends on the consent in ways that only the server can follow: on that of one
//                  category:vendor, or on all of it
//   data-debug     cookies that were not set, for the console

/**
 * @typedef {{ categories?: Record<string, boolean>, vendors?: Record<string, boolean> }} Answers
 * @typedef {{ status: string, categories: Record<string, boolean>, vendors: Record<string, boolean>,
 *   decided_at: string | null, expires_at: string | null, notice: string | null, gpc: boolean,
 *   needs_asking: boolean, reference?: string | null }} Decision
 * @typedef {{ kind: string, name: string, category: string, vendor: string | null, third_party: boolean,
 *   domain: string | null, path: string, partitioned: boolean }} Tracker
 */

(() => {
  "use strict";
  const loader = /** @type {HTMLScriptElement} */ (document.currentScript);
  const data = /** @type {Record<string, string>} */ (loader.dataset);
  const nonce = loader.nonce;
  const base = loader.src.replace(/\/assets\/[^/]*$/, "");
  const here = "?next=" + encodeURIComponent(location.pathname + location.search);
  /** @type {any} */
  const global = window;
  const channel = new BroadcastChannel("consentkit");

  // Where Trusted Types are enforced, ours is the policy that a site has to allow.
  /** @param {string} text */
  const same = text => text;
  const rules = { createHTML: same, createScript: same, createScriptURL: same };
  const trusted = global.trustedTypes?.createPolicy("consentkit", rules) || rules;

  // What is allowed

  const companion = () =>
    document.cookie.split("; ").find(one => one.startsWith(data.cookie + "="))?.slice(data.cookie.length + 1) || "";
  const untold = () => global.navigator.globalPrivacyControl && data.gpc || data.default;
  let seen = companion();
  // A grant under another notice is not taken at its word; the server is asked what it is worth.
  const outdated = data.state == null && /^[^-]/.test(seen) && !seen.includes("_" + data.notice.slice(0, 11));
  let items = (data.state ?? (outdated ? "-" : seen || untold())).split(".");

  /** @type {(category?: string, vendor?: string | null) => boolean} */
  const allows = (category = "", vendor) =>
    data.required.split(" ").includes(category) || items.includes(category) != (!!vendor && items.includes("~" + vendor));

  // What tags of Google are told: the default before anything else, then every change. Basic mode: none of them runs
  // before it is allowed.
  /** @param {string} kind */
  const signal = kind => {
    if (!data.google) return;
    const [analytics, ads] = data.google.split(",").map(all =>
      all.split("+").every(one => allows(.../** @type {[string]} */ (one.split(":")))) ? "granted" : "denied");
    global.gtag("consent", kind, {
      ad_storage: ads,
      ad_user_data: ads,
      ad_personalization: ads,
      analytics_storage: analytics,
      functionality_storage: "granted",
      personalization_storage: ads,
      security_storage: "granted",
    });
    global.gtag("set", "ads_data_redaction", ads == "denied");
    global.gtag("set", "url_passthrough", false);
  };

  // Gates

  const GATES = 'script[type="text/plain"][data-category],template[data-category]';
  /** @type {(string | undefined)[][]} */
  const ran = [];

  const pause = () => global.scheduler?.yield?.() || new Promise(go => setTimeout(go));

  /** @param {HTMLScriptElement} gate */
  const run = gate => {
    const script = document.createElement("script");
    for (const { name, value } of gate.attributes)
      if (!/^((data-)?(type|src)|nonce)$/.test(name)) script.setAttribute(name, value);
    const { type = "", src } = gate.dataset;
    script.type = type;
    script.async = gate.hasAttribute("async");
    script.nonce = nonce || gate.nonce;
    if (src) script.src = trusted.createScriptURL(src);
    else script.text = trusted.createScript(gate.text);
    const done = src && !script.async && /^$|module|javascript/.test(type) &&
      new Promise(go => script.onload = script.onerror = go);
    gate.replaceWith(script);
    return done;
  };

  // Scripts in a template wait for their turn as all others do.
  /** @param {HTMLTemplateElement} gate */
  const show = gate => {
    const content = document.importNode(gate.content, true);
    for (const script of content.querySelectorAll("script")) {
      const { type, dataset } = script, src = script.getAttribute("src");
      if (dataset.category) continue;
      Object.assign(dataset, { ...gate.dataset }, type && { type }, src && { src });
      script.removeAttribute("src");
      script.type = "text/plain";
    }
    gate.replaceWith(content);
  };

  let open = false;
  const openGates = async () => {
    if (open) return;
    open = true;
    for (let gate; gate = /** @type {HTMLElement[]} */ ([...document.querySelectorAll(GATES)]).find(one =>
      allows(one.dataset.category, one.dataset.vendor));) {
      await pause();
      const { category, vendor } = gate.dataset;
      if (!gate.isConnected || !allows(category, vendor)) continue;
      ran.push([category, vendor]);
      try {
        await (gate instanceof HTMLTemplateElement ? show(gate) : run(/** @type {HTMLScriptElement} */ (gate)));
      } catch (error) {
        console.error(error);
        gate.remove();
      }
    }
    open = false;
  };

  // What is stored and no longer allowed goes. Of several declarations of a name the most exact one counts.
  const clear = async () => {
    /** @type {{ trackers: Tracker[] }} */
    const { trackers } = await (await get("/policy.json?" + data.notice, { cache: "force-cache" })).json();
    /** @param {string} kind @param {string[]} names @param {(name: string, tracker: Tracker) => unknown} remove */
    const sweep = (kind, names, remove) => {
      for (const name of names) {
        /** @param {Tracker} one */
        const rank = one => one.kind == kind && (one.name == name ? 1e3 :
          one.name.endsWith("*") && name.startsWith(one.name.slice(0, -1)) && one.name.length) || 0;
        const best = Math.max(...trackers.map(rank));
        for (const one of best ? trackers : [])
          if (rank(one) == best && !one.third_party && !allows(one.category, one.vendor)) remove(name, one);
      }
    };
    sweep("cookie", document.cookie.split("; ").map(one => one.split("=")[0]), (name, { domain, path, partitioned }) => {
      // Tags like the widest domain that they can get, whatever was declared.
      const wider = location.hostname.split(".").map((_, start, all) => all.slice(start).join("."));
      for (const one of ["", domain, ...wider])
        document.cookie = `${name}=; Max-Age=0; Path=${path}${one ? "; Domain=" + one : ""}${
          isSecureContext ? "; Secure" : ""}${partitioned ? "; Partitioned" : ""}`;
    });
    sweep("local_storage", Object.keys(localStorage), name => localStorage.removeItem(name));
    sweep("session_storage", Object.keys(sessionStorage), name => sessionStorage.removeItem(name));
    sweep("indexed_db", (await indexedDB.databases()).map(one => one.name || ""), name => indexedDB.deleteDatabase(name));
    sweep("cache_storage", await global.caches?.keys() || [], name => caches.delete(name));
  };

  // Decisions

  const watched = () => data.reload
    ? allows(.../** @type {[string]} */ (data.reload.split(":")))
    : "" + items.filter(one => /^~?[a-z]/.test(one));

  /** @type {(decision: Decision, state: string, told?: boolean) => Promise<void>} */
  const settle = async (decision, state, told) => {
    const before = watched();
    items = state.split(".");
    seen = companion();
    if (!told) channel.postMessage(state);
    signal("update");
    document.dispatchEvent(new CustomEvent("consentchange", { detail: decision }));
    if (!decision.needs_asking) document.getElementById("cookie-consent")?.remove();
    dialog?.close();
    if (![decision.categories, decision.vendors].every(all => Object.values(all).every(Boolean)))
      await clear().catch(console.warn);
    if (ran.some(([category, vendor]) => !allows(category, vendor)) || "reload" in data && before != watched())
      return reload();
    openGates();
    if (decision.needs_asking) await ask();
    const footer = document.querySelector(".cookie-consent-footer");
    if (footer) footer.replaceWith(await fragment("/settings"));
  };

  /** @type {(path: string, how?: RequestInit) => Promise<Response>} */
  const get = async (path, how) => {
    const response = await fetch(base + path, how);
    if (!response.ok) throw Error("consentkit: " + response.status);
    return response;
  };

  // Whoever has just set out for another page gets there; a page that is still there afterwards (it was not to be had)
  // is read anew then.
  let left = 0;
  global.navigation?.addEventListener("navigate", /** @param {any} event */ ({ destination, downloadRequest }) =>
    left = destination.sameDocument || downloadRequest != null ? 0 : Date.now());
  global.navigation?.addEventListener("navigatesuccess", () => left = 0);
  const reload = () => void setTimeout(() => location.reload(), Date.now() - left < 5e3 ? 5e3 : 0);

  let busy = false;
  /** @type {(method: string, body?: object, query?: string, told?: boolean) => Promise<Decision>} */
  const call = async (method, body, query = "", told) => {
    busy = true;
    try {
      const response = await get("/decision" + query, {
        method,
        keepalive: true,
        headers: body && { "Content-Type": "application/json" },
        body: body && JSON.stringify(body),
      });
      const decision = await response.json();
      await settle(decision, response.headers.get("Consent-State") || "-", told);
      return decision;
    } finally {
      busy = false;
    }
  };

  const told = () => ({ notice: data.notice, language: data.language, surface: "api" });
  const sync = () => busy || companion() == seen || call("GET", undefined, "", true).catch(console.warn);

  /** @type {HTMLFormElement | undefined} */
  let failed;
  document.addEventListener("submit", async event => {
    const form = /** @type {HTMLFormElement} */ (event.target);
    const action = form.getAttribute("action")?.replace(new URL(base).pathname, "") || "";
    const withdraws = action == "/withdraw", once = form.matches(".cookie-consent-once");
    if (event.defaultPrevented || form == failed || !withdraws && !once && action != "/decision") return;
    event.preventDefault();
    const fields = new FormData(form, event.submitter);
    fields.delete("next");
    /** @type {Record<string, any>} */
    const body = {};
    for (const [name, value] of fields) {
      const [kind, id] = name.split(".");
      if (id) (body[kind == "vendor" ? "vendors" : "categories"] ??= {})[id] = value == "on";
      else body[name] = value;
    }
    const { choice } = body;
    if (/save|change/.test(choice)) body.categories ??= {}, delete body.choice;
    try {
      // Replaced, so that the frame adds nothing to the history.
      if (once) location.replace((await get(action, { method: "POST" })).url);
      else if (withdraws) await call("DELETE", undefined, "?" + new URLSearchParams(/** @type {any} */ (fields)));
      else await call(choice == "change" ? "PATCH" : "POST", body);
    } catch {
      failed = form;
      form.requestSubmit(event.submitter);
    }
  });

  // What is fetched: the banner on public pages, the settings, the preference centre

  /** @param {string} path */
  const fragment = async path =>
    document.createRange().createContextualFragment(trusted.createHTML(await (await get(path + here)).text()));

  const ask = async () => {
    if ("banner" in data && !document.getElementById("cookie-consent"))
      document.body.prepend(await fragment("/banner"));
  };

  /** @type {HTMLDialogElement | undefined} */
  let dialog;
  /** @param {Element | null} opener */
  const centre = async (opener = document.activeElement) => {
    if (dialog?.isConnected) return;
    const html = await (await get(here)).text();
    const page = new DOMParser().parseFromString(trusted.createHTML(html), "text/html");
    const box = document.createElement("div"), centre = dialog = document.createElement("dialog");
    const title = /** @type {HTMLElement} */ (page.querySelector("h1"));
    const back = /** @type {HTMLElement} */ (page.querySelector("header a"));
    const { lang, dir } = page.documentElement;
    Object.assign(centre, { className: "consent-page", lang, dir });
    centre.setAttribute("aria-labelledby", title.id = "cookie-consent-title");
    box.append(back, .../** @type {HTMLElement} */ (page.querySelector("main")).childNodes);
    centre.append(box);
    back.onclick = event => (event.preventDefault(), centre.close());
    centre.onclose = () => {
      centre.remove();
      // The link that opened it may have been replaced meanwhile.
      /** @type {HTMLElement | null} */ (opener?.isConnected ? opener : document.querySelector("a.cookie-consent-settings"))?.focus();
    };
    document.body.append(centre);
    centre.showModal();
  };

  document.addEventListener("click", event => {
    const link = /** @type {Element} */ (event.target).closest?.("a.cookie-consent-settings,a.cookie-consent-manage");
    if (!link || event.button || event.metaKey || event.ctrlKey || event.shiftKey || event.altKey) return;
    const { href } = /** @type {HTMLAnchorElement} */ (link);
    if (event.defaultPrevented || !href.startsWith(base)) return;
    event.preventDefault();
    centre(link).catch(() => location.href = href);
  });

  // Links to the group's other sites, where the server could not see to them: a decision since, a page for everybody

  /** @param {MouseEvent} event */
  const lead = ({ target }) => {
    const link = /** @type {HTMLAnchorElement | undefined} */ (/** @type {Element} */ (target).closest?.("a[href]"));
    const [site, prefix, ...origins] = data.group.split(" ");
    if (link && companion() && origins.includes(link.origin) && !(link.pathname + "/").startsWith(prefix + "/"))
      link.href = link.origin + prefix + "/handoff/start?" +
        new URLSearchParams({ iss: site, next: link.pathname + link.search }) + link.hash;
  };
  if (data.group) for (const kind of /** @type {const} */ (["click", "auxclick"])) addEventListener(kind, lead, true);

  // The page as it was before a decision elsewhere: a history entry, a prerendered one, another tab

  const compare = () => companion() != seen && reload();
  channel.onmessage = sync;
  global.cookieStore?.addEventListener("change", sync);
  addEventListener("pageshow", event => event.persisted && (left = 0, compare()));
  document.addEventListener("prerenderingchange", compare);
  const [visit] = /** @type {PerformanceNavigationTiming[]} */ (performance.getEntriesByType("navigation"));
  // Or one that was asked for before a decision and came after it.
  const stale = data.state != null &&
    (seen ? seen != data.state : data.state != data.default && data.state != data.gpc);
  if (stale && visit?.type == "back_forward") {
    items = ["-"];
    location.reload();
  }

  const start = async () => {
    if (document.readyState == "loading") await new Promise(go => addEventListener("DOMContentLoaded", go));
    if (global.document.prerendering) await new Promise(go => document.addEventListener("prerenderingchange", go));
    if (outdated || stale) await call("GET", undefined, "", true);
    else if (items.includes("~")) ask();
    openGates();
    new MutationObserver(openGates).observe(document, { childList: true, subtree: true });
    if ("clear" in data && (localStorage.length || sessionStorage.length ||
      (await indexedDB.databases()).length || (await global.caches?.keys())?.length)) await clear();
  };

  if (data.google) {
    global.dataLayer ||= [];
    // Its entries have to be `arguments` objects; those of an array are not read.
    global.gtag ||= function () { global.dataLayer.push(arguments); };
    signal("default");
  }
  if (data.debug) console.warn("consentkit: cookies not set, for want of consent: " + data.debug);

  global.consentkit = {
    get state() { return items.join("."); },
    allows,
    open: () => centre(),
    /** @param {Answers | "accept_all" | "reject_all"} answers */
    decide: answers => call("POST", { ...told(), ...(typeof answers == "string" ? { choice: answers } : answers) }),
    /** @param {Answers} answers */
    change: answers => call("PATCH", { ...told(), ...answers }),
    /** @param {string} [category] */
    withdraw: category => call("DELETE", undefined, "?" + new URLSearchParams({ ...told(), ...(category && { category }) })),
    ready: start().catch(console.warn),
  };
})();
