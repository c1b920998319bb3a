// The script API of pages, `window.consentkit`, and its events. The script's own modules and `frontend/index.d.ts` use the same
// declarations.

/** What a visitor answers, by id. */
export interface Answers {
  categories?: Record<string, boolean>;
  vendors?: Record<string, boolean>;
}

export type Status = "unknown" | "given" | "refused" | "withdrawn" | "expired" | "invalidated";

/** The server's answer to every request about a decision. */
export interface Decision {
  status: Status;
  /** All categories, as they are in effect. */
  categories: Record<string, boolean>;
  /** All vendors, as they are in effect. */
  vendors: Record<string, boolean>;
  /** RFC 3339 in UTC; null without a decision. */
  decided_at: string | null;
  /** RFC 3339 in UTC; null without a decision. */
  expires_at: string | null;
  /** Digest of the notice that was answered; null without a decision. */
  notice: string | null;
  /** Whether the browser sends Global Privacy Control. */
  gpc: boolean;
  needs_asking: boolean;
  /** Id of the regime whose rules apply to the visitor. */
  regime: string;
  /** After a withdrawal: by which the visitor can ask for the records later. */
  reference?: string | null;
}

/** The script API of pages. Where a request is refused, the promise is rejected and nothing has changed. */
export interface ConsentApi {
  /** What is on, in the format of the companion cookie. */
  readonly state: string;
  /** Check whether a category, or a vendor of it, is allowed. */
  allows(category?: string, vendor?: string | null): boolean;
  /** Open the settings. */
  open(): Promise<void>;
  /** Replace the decision: what is not named is refused. */
  decide(answers: Answers | "accept_all" | "reject_all"): Promise<Decision>;
  /** Merge answers into the decision: only what is named changes. */
  change(answers: Answers): Promise<Decision>;
  /** Withdraw one category, or everything. */
  withdraw(category?: string): Promise<Decision>;
  /** Fulfilled when the page is up to date and allowed scripts have started. */
  readonly ready: Promise<void>;
}

declare global {
  interface Window {
    /** Missing until the script has run. */
    consentkit?: ConsentApi;
  }

  interface DocumentEventMap {
    /** After each change, from this page or from another tab. */
    consentchange: CustomEvent<Decision>;
    /** When the loader has put `window.consentkit` into the page. */
    consentready: CustomEvent<null>;
  }
}
