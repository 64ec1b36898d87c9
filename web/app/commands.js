// The same request for other clients. The API key is a variable, never the key itself.
import { state } from "./store.js";

export const COMMANDS = { curl: curlOf, python: pythonOf, openai: openaiOf, imagegen: commandOf };
export const NAMES = { curl: "curl", python: "Python", openai: "openai", imagegen: "imagegen" };

function base() {
  return new URL(state.config.api_url, location.href).href;
}

const quoted = (text) => `'${String(text).replaceAll("'", `'\\''`)}'`;
const json = (value) => JSON.stringify(value);

function curlOf(body) {
  return [
    `curl -sS ${base()}/text-to-image \\`,
    `  -H "x-api-key: $IMAGEGEN_API_KEY" -H 'content-type: application/json' \\`,
    ...(body.webhook_url ? ["  -H 'prefer: respond-async' \\"] : []),
    `  -d ${quoted(json(body))}`,
  ].join("\n");
}

function pythonOf(body) {
  return [
    "import os",
    "import httpx",
    "",
    "reply = httpx.post(",
    `    ${json(`${base()}/text-to-image`)},`,
    `    headers={"x-api-key": os.environ["IMAGEGEN_API_KEY"]${body.webhook_url ? ', "prefer": "respond-async"' : ""}},`,
    `    json=${asPython(body, 4)},`,
    "    timeout=60,",
    ")",
    "reply.raise_for_status()",
    body.webhook_url ? "print(reply.json())" : `print(reply.json()["artifacts"][0]["url"])`,
  ].join("\n");
}

function asPython(value, indent) {
  if (value === true) return "True";
  if (value === false) return "False";
  if (value === null) return "None";
  if (Array.isArray(value)) return `[${value.map((each) => asPython(each, indent)).join(", ")}]`;
  if (typeof value !== "object") return json(value);
  const inner = " ".repeat(indent + 4);
  const members = Object.entries(value).map(([name, each]) => `${inner}${json(name)}: ${asPython(each, indent + 4)},`);
  return members.length ? `{\n${members.join("\n")}\n${" ".repeat(indent)}}` : "{}";
}

// What OpenAI's client can send, under its names there; the rest is named in a remark.
function openaiOf(body) {
  const { text_prompts: lines, model, width, height, seed, steps, output_format: format, ...rest } = body;
  const shown = lines.filter(({ weight = 1 }) => weight >= 0);
  const avoided = lines.filter(({ weight = 1 }) => weight < 0);
  const extra = {};
  if (avoided.length) extra.negative_prompt = avoided.map(({ text }) => text).join(", ");
  if (seed) extra.seed = seed;
  if (steps) extra.steps = steps;
  const lost = Object.keys(rest);
  if (lines.some(({ weight = 1 }) => ![1, -1].includes(weight))) lost.push("weights");
  return [
    "import os",
    "import openai",
    "",
    `client = openai.OpenAI(base_url=${json(base())}, api_key=os.environ["IMAGEGEN_API_KEY"])`,
    ...(lost.length ? [`# OpenAI's API has no ${lost.join(", ")}.`] : []),
    "picture = client.images.generate(",
    `    prompt=${json(shown.map(({ text }) => text).join(", "))},`,
    ...(model ? [`    model=${json(model)},`] : []),
    ...(width ? [`    size="${width}x${height}",`] : []),
    `    response_format="url",`,
    ...(format ? [`    output_format=${json(format)},`] : []),
    ...(Object.keys(extra).length ? [`    extra_body=${asPython(extra, 4)},`] : []),
    ")",
    "print(picture.data[0].url)",
  ].join("\n");
}

// The options of `imagegen generate`, by the fields of the request.
const OPTIONS = {
  style_preset: "--style",
  seed: "--seed",
  width: "--width",
  height: "--height",
  steps: "--steps",
  cfg_scale: "--cfg-scale",
  sampler: "--sampler",
  clip_guidance_preset: "--clip-guidance",
  model: "--model",
  output_format: "--output-format",
};

const shell = (value) => (/^[\w.:]+[\w.:-]*$/.test(value) ? value : quoted(value));

function commandOf(body) {
  const [first, ...more] = body.text_prompts;
  const options = Object.entries(OPTIONS)
    .filter(([name]) => body[name] !== undefined)
    .map(([name, option]) => `${option} ${shell(body[name])}`);
  if (body.strict) options.push("--strict");
  if (body.extras) options.push(`--extras ${quoted(json(body.extras))}`);
  if (first.weight !== undefined) options.push(`--weight ${shell(first.weight)}`);
  options.push(...textsOf(more), ...(body.webhook_url ? ["--async", `--webhook-url ${quoted(body.webhook_url)}`] : []));
  return [
    `export IMAGEGEN_URL=${base()}`,
    "export IMAGEGEN_API_KEY=…",
    ["imagegen generate", ...options, promptOf(first.text)].join(" \\\n  "),
  ].join("\n");
}

// The command sends every `--negative` after every `--add`, so only the last texts can be `--negative`.
function textsOf(more) {
  const last = more.findLastIndex(({ weight }) => weight !== -1);
  return more.map(({ text, weight = 1 }, index) => (index > last ? `--negative ${quoted(text)}` : `--add ${quoted(`${weight}:${text}`)}`));
}

// After `--` nothing is an option. The text `-` alone would mean stdin.
function promptOf(text) {
  if (text === "-") return "- <<< -";
  return text.startsWith("-") ? `-- ${quoted(text)}` : quoted(text);
}
