// OpenAI's package for JavaScript with a time-out of its own, in seconds; it prints the image in base64.
import OpenAI from "openai";

const client = new OpenAI({ timeout: Number(process.argv[3]) * 1000 });
const result = await client.images.generate({ model: "gpt-image-1", prompt: process.argv[2] });
console.log(result.data[0].b64_json);
