// Vercel's AI SDK with its provider for APIs like OpenAI's, set up as its guide shows; it prints the image in base64.
import { createOpenAICompatible } from "@ai-sdk/openai-compatible";
import { generateImage } from "ai";

const provider = createOpenAICompatible({
  name: "imagegen",
  apiKey: process.env.IMAGEGEN_KEY,
  baseURL: process.env.IMAGEGEN_URL,
});
const { image } = await generateImage({ model: provider.imageModel("auto"), prompt: process.argv[2] });
console.log(image.base64);
