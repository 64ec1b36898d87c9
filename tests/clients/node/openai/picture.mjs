// OpenAI's package for JavaScript: the call of its guide to image generation; it prints the image in base64.
import OpenAI from "openai";

const client = new OpenAI();
const result = await client.images.generate({ model: "gpt-image-1", prompt: process.argv[2] });
console.log(result.data[0].b64_json);
