import type { ConsentApi } from "./index.js";

export interface Consent extends Pick<ConsentApi, "allows" | "open" | "decide" | "change" | "withdraw"> {
  /** Whether the visitor's answer is known. Until then, and on a server, nothing is allowed. */
  readonly isReady: boolean;
  /** What is on, in the format of the companion cookie; null until the answer is known. */
  readonly state: string | null;
}

/** Return the visitor's consent. The component is rendered again when it changes. */
export function useConsent(): Consent;
