// Node.js finds a module by its whole name; by default the client is written for a bundler.
export default { input: "openapi.json", output: { path: "client", module: { extension: ".js" } } };
