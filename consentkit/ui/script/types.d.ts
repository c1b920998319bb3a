// What the modules share that has no code: the server's JSON, the tag's attributes, and parts of browsers that
// TypeScript's own library does not know yet. Only editors and the type check read this file.

/** The `data-` attributes of the tag that loads the script; script_tag.py writes them. */
interface TagData {
  /** State that the page was rendered with, as the companion cookie writes it; absent on public pages. */
  readonly state?: string;
  /** State while there is no companion cookie. */
  readonly default: string;
  /** The same for browsers that send Global Privacy Control; absent if it makes no difference. */
  readonly gpc?: string;
  /** Name of the companion cookie. */
  readonly cookie: string;
  /** Digest of the notice that the page was rendered under; the companion cookie has its first eleven letters. */
  readonly notice: string;
  /** Language of the page. */
  readonly language: string;
  /** Every `category` of the policy and every `category:vendor`, separated by spaces. */
  readonly policy: string;
  /** Categories that are always on, separated by spaces. */
  readonly required: string;
  /** What the signals of Google Consent Mode follow from; signals/google.py writes it. */
  readonly google?: string;
  /** Present on public pages where the banner may be fetched. */
  readonly banner?: string;
  /** Present if the browser may hold stored items that are not allowed. */
  readonly clear?: string;
  /**
   * Present if only the server can render the page for another state: each `category:vendor` that it depends on, separated
   * by spaces, or empty for any change.
   */
  readonly reload?: string;
  /** Present if the page answers a form, which must not be sent again. */
  readonly form?: string;
  /**
   * Present in pages of another origin, which cannot read the companion cookie: its value as the server last sent it, or
   * `?` until then.
   */
  known?: string;
}

/** What the server writes into the loader; ui/loader.py makes it. */
interface LoaderData {
  /** The attributes of the tag that a page for all visitors has. */
  readonly tag: Record<string, string>;
  /** File name of the script. */
  readonly script: string;
  /** File name of the script for pages of another origin. */
  readonly remote: string;
  /** File names of further scripts for pages of this origin, with the attributes of their tags. */
  readonly extra: Record<string, Record<string, string>>;
  /** The same for pages of another origin. */
  readonly remoteExtra: Record<string, Record<string, string>>;
  /** File name of the style sheet. */
  readonly stylesheet: string;
  /** Rules for banner and settings link. */
  readonly style: string;
  /** Markup of the settings link. */
  readonly settings: string;
}

type Decision = import("./api.js").Decision;

/** A declared cookie or stored item, as policy.json lists it. */
interface Tracker {
  kind: string;
  name: string;
  category: string;
  vendor: string | null;
  third_party: boolean;
  domain: string | null;
  path: string;
  partitioned: boolean;
}

interface TrustedTypesRules {
  createHTML(text: string): string;
  createScript(text: string): string;
  createScriptURL(text: string): string;
}

interface NavigateEvent extends Event {
  readonly destination: { readonly sameDocument: boolean };
  readonly downloadRequest: string | null;
}

interface Navigation extends EventTarget {
  addEventListener(type: "navigate", listener: (event: NavigateEvent) => void): void;
  addEventListener(type: "navigatesuccess", listener: () => void): void;
}

interface Navigator {
  readonly globalPrivacyControl?: boolean;
}

interface Document {
  readonly prerendering?: boolean;
}

interface Window {
  readonly navigation?: Navigation;
  readonly scheduler?: { yield?(): Promise<void> };
  readonly trustedTypes?: { createPolicy(name: string, rules: TrustedTypesRules): TrustedTypesRules };
  dataLayer: unknown[];
  gtag(...command: unknown[]): void;
}
