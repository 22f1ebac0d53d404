import { sinkContract } from "@winnow/testkit";
import t from "tap";
import { sinkTypes } from "../src/registry.ts";

await sinkContract(t, { sinkTypes, folder: new URL("../src/", import.meta.url), configs: { log: { format: "text" } } });
