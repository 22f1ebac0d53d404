export { type BroughtPackages, bringPackages } from "@winnow/devservers";
