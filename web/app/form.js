// What is filled in, the request that it makes, and what the request would cost.

// An empty value means the default, which is not sent.
export function emptyForm() {
  return {
    lines: [{ id: 0, text: "", weight: "1" }],
    model: "",
    size: "",
    style_preset: "",
    seed: "",
    keepsSeed: false,
    steps: "",
    cfg_scale: "",
    sampler: "",
    clip_guidance_preset: "",
    samples: "",
    output_format: "",
    strict: false,
    extras: "",
    webhook_url: "",
  };
}

// What the tab has kept of a form, if it has the form's shape.
export function formFrom(kept) {
  const form = emptyForm();
  const isLine = (line) => Number.isInteger(line?.id) && typeof line.text === "string" && typeof line.weight === "string";
  if (!kept?.lines?.length || !kept.lines.every(isLine)) return form;
  for (const [name, value] of Object.entries(form)) if (typeof kept[name] === typeof value) form[name] = kept[name];
  return form;
}

const NUMBERS = ["steps", "cfg_scale", "samples"];
const TEXTS = ["style_preset", "sampler", "clip_guidance_preset", "output_format", "webhook_url"];

// The body of the request. What is not a number is sent as it is, because the service says what is wrong with it.
export function bodyOf(form, contract) {
  const body = { text_prompts: linesThatCount(form).map(promptOf) };
  if (form.model) body.model = form.model;
  const [width, height] = form.size.split("x").map(Number);
  if (form.size && !isDefaultSize(contract, width, height)) Object.assign(body, { width, height });
  for (const name of NUMBERS) {
    if (form[name] !== "" && Number(form[name]) !== contract.fields[name].default) body[name] = numberOf(form[name]);
  }
  for (const name of TEXTS) {
    if (form[name] && form[name] !== contract.fields[name].default) body[name] = form[name];
  }
  if (form.seed.trim()) body.seed = numberOf(form.seed);
  if (form.strict) body.strict = true;
  if (form.extras.trim()) body.extras = jsonOf(form.extras);
  return body;
}

// Lines without a text are left out, except the first.
export function linesThatCount(form) {
  return form.lines.filter((line, index) => index === 0 || line.text.trim());
}

function promptOf({ text, weight }) {
  return weight.trim() === "" || Number(weight) === 1 ? { text } : { text, weight: numberOf(weight) };
}

function numberOf(text) {
  const number = Number(text);
  return text.trim() === "" || !Number.isFinite(number) ? text : number;
}

function jsonOf(text) {
  try {
    return JSON.parse(text);
  } catch {
    return text;
  }
}

function isDefaultSize(contract, width, height) {
  return width === contract.fields.width.default && height === contract.fields.height.default;
}

// The form that makes this request; `request` is a generation's, with every default filled in.
export function formOf(request, contract) {
  const form = emptyForm();
  form.lines = request.text_prompts.map(({ text, weight = 1 }, id) => ({ id, text, weight: String(weight) }));
  for (const name of [...NUMBERS, ...TEXTS]) {
    const value = request[name];
    if (value !== undefined && value !== null && value !== contract.fields[name].default) form[name] = String(value);
  }
  if (request.width && !isDefaultSize(contract, request.width, request.height)) {
    form.size = `${request.width}x${request.height}`;
  }
  form.model = request.model ?? "";
  form.strict = request.strict ?? false;
  if (request.extras && Object.keys(request.extras).length) form.extras = JSON.stringify(request.extras);
  if (request.seed) Object.assign(form, { seed: String(request.seed), keepsSeed: true });
  return form;
}

// The request of a generation without its defaults, as somebody would write it.
export function shortRequest(request, contract) {
  return bodyOf(formOf(request, contract), contract);
}

export function randomSeed() {
  return crypto.getRandomValues(new Uint32Array(1))[0] || 1;
}

// Only a model that draws the format of the file serves the request; a form without one means PNG.
export const drawsFormat = (form, model) => !form.output_format || model.output_formats.includes(form.output_format);

// The models that may draw, in the order in which they are tried: the chosen one, or each that has not ended.
export function candidates(form, models) {
  if (form.model) return (models ?? []).filter((model) => model.id === form.model);
  const first = models?.findIndex((model) => model.default) ?? -1;
  if (first < 0) return [];
  return models.slice(first).filter((model) => model.lifecycle.status !== "end_of_life" && drawsFormat(form, model));
}

// The model that would draw: the chosen one, or the first that is available.
export function servingModel(form, models) {
  return candidates(form, models)[0] ?? null;
}

export function isHonoured(name, model) {
  return !model || model.honours.includes(name);
}

export function priceOf(model, body, contract) {
  const steps = typeof body.steps === "number" ? body.steps : contract.fields.steps.default;
  const row = model.prices?.find(({ max_steps: most }) => steps <= most) ?? model.prices?.at(-1);
  return row?.usd ?? model.price_per_image;
}
