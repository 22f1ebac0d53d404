#!/usr/bin/env node
// Runs this service alone, as `winnow correlator` does.
process.argv.splice(2, 0, "correlator");
await import("../winnow/bin/winnow.mjs");
