export * from "./bring-servers.ts";
export * from "./coordinator.ts";
export * from "./debian-packages.ts";
export { devServicesDown, devServicesStatus, devServicesUp } from "./dev-services.ts";
export { isErrno } from "./errno.ts";
export { withFolderLock } from "./folder-lock.ts";
export { type CommandOptions, type CommandResult, runCommand, type UserIds } from "./run-command.ts";
export * from "./servers.ts";
export * from "./tool-process.ts";
