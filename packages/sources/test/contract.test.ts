import { sources } from "@winnow/sources";
import { sourceContract } from "@winnow/testkit";
import t from "tap";

await sourceContract(t, { sources });
