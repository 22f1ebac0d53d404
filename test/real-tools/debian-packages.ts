export { type BroughtPackages, bringPackages, toolEnvironment } from "@winnow/devservers";
