// @ts-check
// The forms of banner, settings page, page ends and embeds, sent without leaving the page.
import { requestDecision, withdraw } from "./decisions.js";
import { baseUrl } from "./script_tag.js";
import { request } from "./server.js";

/**
 * A form whose request failed, which the browser therefore submits itself.
 * @type {HTMLFormElement | undefined}
 */
let failedForm;

/** @param {SubmitEvent} event */
async function sendForm(event) {
  const form = /** @type {HTMLFormElement} */ (event.target);
  // An element of that name hides the address of a form that is not ours.
  const action = form.action.split?.(baseUrl)[1] || "";
  const loadsEmbed = form.matches(".cookie-consent-once");
  const isOurs = loadsEmbed || action == "/decision" || action == "/withdraw";
  if (!isOurs) return;
  // A library that swaps pages would send the form itself.
  event.stopPropagation();
  if (form == failedForm) return;
  event.preventDefault();
  const fields = new FormData(form, event.submitter);
  fields.delete("next");
  // The press shows while the answer is under way.
  const { style } = event.submitter || form;
  style.opacity = ".6";
  try {
    // Replaces the frame's address, so that the history of the page around it gets no entry.
    if (loadsEmbed) location.replace((await request(action, { method: "POST" })).url);
    else if (action == "/withdraw") await withdraw(/** @type {any} */ (fields));
    else await requestDecision(fields.get("choice") == "change" ? "PATCH" : "POST", decisionBody(fields));
  } catch {
    failedForm = form;
    form.requestSubmit(event.submitter);
  } finally {
    style.opacity = "";
  }
}

/**
 * Return the JSON body for a form, in which `category.<id>` and `vendor.<id>` are the answers.
 * @param {FormData} fields
 */
function decisionBody(fields) {
  /** @type {Record<string, any>} */
  const body = {};
  for (const [name, value] of fields) {
    const [kind, id] = name.split(".");
    if (!id) body[name] = value;
    // A third party that follows its purpose has an empty answer.
    else if (value) (body[kind == "vendor" ? "vendors" : "categories"] ??= {})[id] = value == "on";
  }
  // The buttons "Save" and "Always load" submit the answers in the form; all others are a choice of their own.
  if (/save|change/.test(body.choice)) {
    body.categories ??= {};
    delete body.choice;
  }
  return body;
}

// Captured, before a library gets it.
document.addEventListener("submit", sendForm, true);
