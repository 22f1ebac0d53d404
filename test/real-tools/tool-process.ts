export { startTool, type Tool } from "@winnow/devservers";
