export { startEmbedded } from "./embedded/embedded.ts";
export type { Embedded, EmbeddedOptions } from "./embedded/options.ts";
