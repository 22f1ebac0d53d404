import { duration, httpUrl, secret, WinnowError } from "@winnow/platform";
import { type Static, Type } from "typebox";

const closed = { additionalProperties: false } as const;

/** Ways to authenticate; exactly one of them. */
const Auth = Type.Object(
  {
    basic: Type.Optional(
      Type.Object({ username: Type.String({ minLength: 1 }), password: secret() }, { ...closed, title: "Basic" }),
    ),
    oauth: Type.Optional(
      Type.Object(
        { client_id: Type.String({ minLength: 1 }), client_secret: secret() },
        { ...closed, title: "OAuth client credentials" },
      ),
    ),
    api_key: Type.Optional(secret({ description: "Inbound REST API key, sent as x-sn-apikey" })),
  },
  { ...closed, minProperties: 1, maxProperties: 1, description: "One of basic, oauth, api_key" },
);

/** Settings of a ServiceNow destination. */
export const ServiceNowConfig = Type.Object(
  {
    url: httpUrl({ description: "The instance, e.g. https://acme.service-now.com" }),
    auth: Auth,
    close_code: Type.String({
      default: "Solution provided",
      minLength: 1,
      description: "Resolution code set on resolve; the choices differ from release to release",
    }),
    contact_type: Type.String({ default: "monitoring", description: "Channel of the incident" }),
    caller: Type.Optional(Type.String({ description: "Caller: sys_id or name; without it, the integration's user" })),
    assignment_group: Type.Optional(Type.String({ description: "Group where the rule names none: sys_id or name" })),
    business_service: Type.Boolean({
      default: true,
      description: "Set business_service to the incident's service; off where names differ from the CMDB's",
    }),
    fields: Type.Record(Type.String({ pattern: "^[a-z][a-z0-9_]*$" }), Type.String(), {
      default: {},
      description: "Further fields set on create, e.g. u_source: winnow",
    }),
    timeout: duration({
      default: "65s",
      description: "Time limit of a write; above the 60 s after which ServiceNow itself ends a transaction",
    }),
    kill_time: duration({
      default: "75s",
      description: "How long ServiceNow may still work on a request whose answer was lost, with margin",
    }),
  },
  closed,
);
export type ServiceNowConfig = Static<typeof ServiceNowConfig>;

/** Credentials with their secrets read. Never logged. */
export type ServiceNowAuth =
  | { readonly kind: "basic"; readonly username: string; readonly password: string }
  | { readonly kind: "oauth"; readonly clientId: string; readonly clientSecret: string }
  | { readonly kind: "api_key"; readonly apiKey: string };

/** Reads the secrets. Throws `config_invalid` when one cannot be read or not exactly one way is given. */
export function resolveAuth(auth: ServiceNowConfig["auth"]): ServiceNowAuth {
  const ways: ServiceNowAuth[] = [];
  if (auth.basic !== undefined) {
    ways.push({ kind: "basic", username: auth.basic.username, password: auth.basic.password.reveal() });
  }
  if (auth.oauth !== undefined) {
    ways.push({ kind: "oauth", clientId: auth.oauth.client_id, clientSecret: auth.oauth.client_secret.reveal() });
  }
  if (auth.api_key !== undefined) {
    ways.push({ kind: "api_key", apiKey: auth.api_key.reveal() });
  }
  const [way, another] = ways;
  if (way === undefined || another !== undefined) {
    throw new WinnowError("config_invalid", "auth takes exactly one of basic, oauth, api_key");
  }
  return way;
}
