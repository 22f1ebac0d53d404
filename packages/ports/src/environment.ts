/** Wall and monotonic time, in ms. Tests advance it by hand. */
export interface Clock {
  /** Epoch milliseconds. */
  now(): number;
  /** Milliseconds on a clock that never goes back; only differences mean anything. */
  monotonic(): number;
  /** Resolves after `ms`, or earlier when the signal is aborted. Never rejects. */
  sleep(ms: number, signal?: AbortSignal): Promise<void>;
}

export interface Ids {
  /** A fresh random token of at least 128 bits, hex. */
  token(): string;
}

/** SHA-256 of UTF-8 text as 64 hex digits. Passed in so that core stays free of the platform. */
export type Hash = (text: string) => string;
