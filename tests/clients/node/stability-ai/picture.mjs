// The package stability-ai for Stability's REST API: the call of its README; it prints the image in base64.
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";

const require = createRequire(import.meta.url); // the package is CommonJS, and so is its copy of axios
const { default: StabilityAI } = require("stability-ai");
const { default: axios } = require("axios");

// The package has no place for a base URL, so axios, which sends its requests, is told where the service is.
axios.interceptors.request.use((request) => {
  request.url = request.url.replace("https://api.stability.ai/v1", process.env.IMAGEGEN_URL);
  return request;
});

const stability = new StabilityAI(process.env.IMAGEGEN_KEY);
const results = await stability.v1.generation.textToImage("stable-diffusion-xl-1024-v1-0", [
  { text: process.argv[2], weight: 0.5 },
]);
console.log(readFileSync(results[0].filepath, "base64"));
