// Reads the parameters, with their ranges and defaults, out of the API's own document.

export async function loadContract(config) {
  const reply = await fetch(`${config.api_url}/openapi.json`, { credentials: "omit" });
  if (!reply.ok) throw new Error(`openapi.json: ${reply.status}`);
  return readContract(await reply.json());
}

export function readContract(document) {
  const { TextToImageRequest: request, Prompt: prompt } = document.components.schemas;
  const fields = Object.fromEntries(
    Object.entries(request.properties).map(([name, schema]) => [name, readField(schema)]),
  );
  return {
    fields,
    text: readField(prompt.properties.text),
    weight: readField(prompt.properties.weight),
    most: request.properties.text_prompts.maxItems,
    sizes: request.dependentSchemas.width.anyOf.map(({ properties: { width, height } }) => ({
      width: width.const,
      height: height.const,
    })),
  };
}

function readField(schema) {
  const told = /Default: (.+)\.$/.exec(schema.description ?? "");
  return {
    least: schema.minimum,
    most: schema.maximum,
    longest: schema.maxLength,
    choices: schema.enum,
    isWhole: schema.type === "integer",
    default: told ? JSON.parse(told[1]) : undefined,
    means: (schema.description ?? "").replace(/ ?Default: .+\.$/, ""),
  };
}
