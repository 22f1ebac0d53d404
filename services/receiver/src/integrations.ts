import { Buffer } from "node:buffer";
import { hash, randomBytes, timingSafeEqual } from "node:crypto";
import { WinnowError } from "@winnow/platform";
import type { AuthKind, Source, SourceSettings } from "@winnow/sources";

/** A live secret and the places where it may stand. For rotation an integration has two of them for a while. */
export interface Credential {
  readonly kinds: readonly AuthKind[];
  readonly secret: { reveal(): string };
  /** Header of kind `header`; `x-winnow-token` unless given. Its whole value is compared. */
  readonly header?: string;
  /** User name of kind `basic`; any name goes where it is absent. */
  readonly username?: string;
}

/** One configured inbound tool, every reference resolved. */
export interface Integration {
  readonly name: string;
  readonly source: Source;
  /** Never empty: a token always, on loopback too. */
  readonly credentials: readonly Credential[];
  readonly settings: SourceSettings;
  readonly tenant: string;
  readonly scope: string;
  /** Identity by configuration: `[host, service, labels.team]`. */
  readonly identityRecipe?: readonly string[];
}

/** Live secrets of one integration. */
const credentialsMax = 16;
const defaultHeader = "x-winnow-token";

interface Lock {
  readonly kinds: ReadonlySet<AuthKind>;
  readonly header: string;
  /** Compare user name and password together. */
  readonly withUser: boolean;
  readonly digest: Buffer;
}

/** An integration with its locks made. */
export interface GuardedIntegration extends Integration {
  readonly locks: readonly Lock[];
}

/** What a request shows, before anybody looked at whether it is right. */
export interface Presented {
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
  readonly queryToken: string | undefined;
  readonly pathToken: string | undefined;
}

/** All integrations by name, as of one configuration. */
export class IntegrationTable {
  readonly #byName: ReadonlyMap<string, GuardedIntegration>;
  readonly #decoy: GuardedIntegration["locks"];

  /** Throws WinnowError `config_invalid` for a name used twice or a secret that cannot be read. */
  constructor(integrations: readonly Integration[]) {
    const byName = new Map<string, GuardedIntegration>();
    for (const integration of integrations) {
      if (byName.has(integration.name)) throw invalid(integration.name, "is there twice");
      byName.set(integration.name, { ...integration, locks: locksOf(integration) });
    }
    this.#byName = byName;
    const digest = digestOf(randomBytes(32).toString("hex"));
    this.#decoy = [{ kinds: new Set<AuthKind>(allKinds), header: defaultHeader, withUser: false, digest }];
  }

  get names(): readonly string[] {
    return [...this.#byName.keys()];
  }

  /**
   * The integration, if what is presented opens it. With `sourceType`, one of another type is unknown. An unknown name
   * costs the same work as a known one.
   * Digests are compared, so neither length nor content of a guess shows in the time.
   */
  open(
    name: string,
    presented: Presented,
    sourceType?: string,
  ): GuardedIntegration | "unknown_integration" | "unauthorized" {
    const named = this.#byName.get(name);
    const integration = sourceType === undefined || named?.source.type === sourceType ? named : undefined;
    const opens = fits(integration?.locks ?? this.#decoy, presented);
    if (integration === undefined) return "unknown_integration";
    return opens ? integration : "unauthorized";
  }

  get(name: string): GuardedIntegration | undefined {
    return this.#byName.get(name);
  }

  has(name: string): boolean {
    return this.#byName.has(name);
  }
}

const allKinds: readonly AuthKind[] = ["header", "bearer", "basic", "query", "path"];

function locksOf(integration: Integration): Lock[] {
  const { credentials, name } = integration;
  if (credentials.length === 0) throw invalid(name, "has no token");
  if (credentials.length > credentialsMax) throw invalid(name, `has more than ${credentialsMax} credentials`);
  return credentials.map((credential) => {
    const secret = credential.secret.reveal();
    if (secret === "") throw invalid(name, "has an empty token");
    const { username } = credential;
    return {
      kinds: new Set(credential.kinds),
      header: (credential.header ?? defaultHeader).toLowerCase(),
      withUser: username !== undefined,
      digest: digestOf(username === undefined ? secret : `${username}:${secret}`),
    };
  });
}

function invalid(name: string, what: string): WinnowError {
  return new WinnowError("config_invalid", `integration ${name} ${what}`, { fields: { integration: name } });
}

/** As hex digits, which costs half of asking for a buffer. */
function digestOf(text: string): Buffer {
  return Buffer.from(hash("sha256", text), "latin1");
}

/** Looks at every lock and every place, whatever fitted before. */
function fits(locks: readonly Lock[], presented: Presented): boolean {
  let opened = false;
  for (const lock of locks) {
    for (const kind of lock.kinds) {
      const text = presentedText(kind, lock, presented);
      if (text !== undefined && timingSafeEqual(digestOf(text), lock.digest)) opened = true;
    }
  }
  return opened;
}

function presentedText(kind: AuthKind, lock: Lock, presented: Presented): string | undefined {
  switch (kind) {
    case "header":
      return single(presented.headers[lock.header]);
    case "bearer":
      return schemeValue(presented, "bearer");
    case "basic":
      return basicText(schemeValue(presented, "basic"), lock.withUser);
    case "query":
      return presented.queryToken;
    case "path":
      return presented.pathToken;
  }
}

function single(value: string | string[] | undefined): string | undefined {
  return typeof value === "string" ? value : undefined;
}

function schemeValue(presented: Presented, scheme: string): string | undefined {
  const value = single(presented.headers["authorization"]);
  if (value?.charCodeAt(scheme.length) !== 0x20) return undefined;
  return value.slice(0, scheme.length).toLowerCase() === scheme ? value.slice(scheme.length + 1).trim() : undefined;
}

function basicText(encoded: string | undefined, withUser: boolean): string | undefined {
  if (encoded === undefined) return undefined;
  const text = Buffer.from(encoded, "base64").toString("utf8");
  const colon = text.indexOf(":");
  if (colon === -1) return undefined;
  return withUser ? text : text.slice(colon + 1);
}

/** Replaces every live secret of the integration in bytes that are about to be stored, plain and percent-encoded. */
export function stripSecrets(bytes: Buffer, integration: Integration): Buffer {
  let text = bytes.toString("latin1");
  const before = text;
  for (const { secret } of integration.credentials) {
    const plain = secret.reveal();
    for (const form of new Set([plain, encodeURIComponent(plain), JSON.stringify(plain).slice(1, -1)])) {
      text = text.replaceAll(Buffer.from(form, "utf8").toString("latin1"), "[redacted]");
    }
  }
  return text === before ? bytes : Buffer.from(text, "latin1");
}
