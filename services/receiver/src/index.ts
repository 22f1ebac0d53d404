export * from "./dialects/alertmanager-api.ts";
export type { AlertGroupView, AlertReader, AlertView } from "./dialects/alertmanager-views.ts";
export * from "./http-server.ts";
export * from "./inbound.ts";
export * from "./integrations.ts";
export * from "./limits.ts";
export * from "./receiver.ts";
export * from "./recover-seqs.ts";
export * from "./resend.ts";
