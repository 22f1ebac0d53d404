/** In which mode the acceptance suites run: everything in one process, unless a file has chosen a cluster before. */
import { type Deployment, type ProductOptions, startProduct } from "./product.ts";

export type StartDeployment = (options: Omit<ProductOptions, "args">) => Promise<Deployment>;

const mode: { start: StartDeployment } = { start: startProduct };

/** For a file that runs a suite in another mode: called before the suite is imported. */
export function setMode(start: StartDeployment): void {
  mode.start = start;
}

/** Starts Winnow over `folder` and its winnow.yaml; over a folder for the second time it goes on where it stopped. */
export async function startInMode(options: Omit<ProductOptions, "args">): Promise<Deployment> {
  return await mode.start(options);
}
