import { setTimeout as after } from "node:timers/promises";

const pollMs = 50;
/** Longest wait for anything that the product does by itself; ms. */
const patienceMs = 30_000;

/**
 * Asks again and again until the answer is neither null nor false, and returns it. Rejects after `withinMs` with what
 * was waited for and with what `probe` said last through `told`.
 */
export async function until<Value>(
  what: string,
  probe: (told: (state: unknown) => void) => Promise<Value | null | false>,
  withinMs = patienceMs,
): Promise<Value> {
  const deadline = performance.now() + withinMs;
  let last: unknown;
  for (;;) {
    const value = await probe((state) => {
      last = state;
    });
    if (value !== null && value !== false) return value;
    if (performance.now() > deadline) {
      throw new Error(`${what}: not within ${withinMs} ms; last seen: ${JSON.stringify(last, null, 1)}`);
    }
    await after(pollMs);
  }
}
