// Vercel's AI SDK with a time-out of its own, in seconds; it prints the image in base64.
import { openai } from "@ai-sdk/openai";
import { generateImage } from "ai";

const { image } = await generateImage({
  model: openai.image("gpt-image-1"),
  prompt: process.argv[2],
  abortSignal: AbortSignal.timeout(Number(process.argv[3]) * 1000),
});
console.log(image.base64);
