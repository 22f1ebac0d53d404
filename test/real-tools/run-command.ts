export { type CommandResult, runCommand } from "@winnow/devservers";
