export * from "./contract/window-store.ts";
