import { type HttpClient, type HttpResponse, WinnowError } from "@winnow/platform";
import type { Clock, SinkResult } from "@winnow/ports";
import type { ServiceNowAuth } from "./config.ts";

/** A token is fetched anew this long before it ends. */
const earlyMs = 60_000;
const tokenTimeoutMs = 30_000;

type Refused = Extract<SinkResult<never>, { kind: "refused" }>;

/** Supplies the headers that authenticate a request. */
export interface Authenticator {
  /** Headers, or why there are none: nothing of the actual request has been sent then. */
  headers(signal: AbortSignal): Promise<Readonly<Record<string, string>> | Refused>;
  /** Called on 401. True when fresh credentials are worth one more attempt. */
  renew(): boolean;
  /** Takes every secret out of a text that is going to be shown. */
  redact(text: string): string;
}

/** Basic and API key are fixed; OAuth client credentials keep a token until shortly before it ends. */
export function createAuthenticator(
  auth: ServiceNowAuth,
  options: { readonly http: HttpClient; readonly url: string; readonly clock: Clock },
): Authenticator {
  if (auth.kind === "oauth") {
    return createOAuth(auth, options);
  }
  const pair = auth.kind === "basic" ? Buffer.from(`${auth.username}:${auth.password}`).toString("base64") : "";
  const headers: Readonly<Record<string, string>> =
    auth.kind === "basic" ? { authorization: `Basic ${pair}` } : { "x-sn-apikey": auth.apiKey };
  const secrets = auth.kind === "basic" ? [auth.password, pair] : [auth.apiKey];
  return {
    headers: () => Promise.resolve(headers),
    renew: () => false,
    redact: (text) => redact(text, secrets),
  };
}

function createOAuth(
  auth: Extract<ServiceNowAuth, { kind: "oauth" }>,
  { http, url, clock }: { readonly http: HttpClient; readonly url: string; readonly clock: Clock },
): Authenticator {
  let token: { readonly text: string; readonly until: number } | undefined;
  return {
    async headers(signal) {
      if (token === undefined || clock.monotonic() >= token.until) {
        const answer = await fetchToken(http, url, { auth, signal });
        if ("kind" in answer) {
          return answer;
        }
        token = { text: answer.token, until: clock.monotonic() + answer.lifeMs - earlyMs };
      }
      return { authorization: `Bearer ${token.text}` };
    },
    renew() {
      token = undefined;
      return true;
    },
    redact: (text) => redact(text, [auth.clientSecret, ...(token === undefined ? [] : [token.text])]),
  };
}

async function fetchToken(
  http: HttpClient,
  url: string,
  { auth, signal }: { readonly auth: Extract<ServiceNowAuth, { kind: "oauth" }>; readonly signal: AbortSignal },
): Promise<{ readonly token: string; readonly lifeMs: number } | Refused> {
  // The token endpoint takes forms only.
  const form = new URLSearchParams({
    grant_type: "client_credentials",
    client_id: auth.clientId,
    client_secret: auth.clientSecret,
  });
  let response: HttpResponse;
  try {
    response = await http.request({
      method: "POST",
      url: `${url}/oauth_token.do`,
      headers: { "content-type": "application/x-www-form-urlencoded", accept: "application/json" },
      body: form.toString(),
      timeoutMs: tokenTimeoutMs,
      signal,
    });
  } catch (error) {
    if (error instanceof WinnowError) {
      return refusedToken("later", `No OAuth token: ${error.message}`);
    }
    throw error;
  }
  const token = readToken(response);
  if (token !== undefined) {
    return token;
  }
  const isTransient = response.status === 429 || response.status >= 500;
  return refusedToken(isTransient ? "later" : "auth", `No OAuth token: ServiceNow answered ${response.status}`);
}

function refusedToken(retry: "later" | "auth", message: string): Refused {
  return { kind: "refused", retry, code: "oauth_token", message };
}

function readToken(response: HttpResponse): { readonly token: string; readonly lifeMs: number } | undefined {
  if (response.status !== 200) {
    return undefined;
  }
  try {
    const body = JSON.parse(response.text) as { access_token?: unknown; expires_in?: unknown } | null;
    const seconds = Number(body?.expires_in);
    return typeof body?.access_token === "string" && Number.isFinite(seconds)
      ? { token: body.access_token, lifeMs: seconds * 1000 }
      : undefined;
  } catch {
    return undefined;
  }
}

function redact(text: string, secrets: readonly string[]): string {
  return secrets.filter((secret) => secret !== "").reduce((left, secret) => left.replaceAll(secret, "•••"), text);
}
