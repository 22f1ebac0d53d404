#!/usr/bin/env node
// Runs this service alone, as `winnow receiver` does.
process.argv.splice(2, 0, "receiver");
await import("../winnow/bin/winnow.mjs");
