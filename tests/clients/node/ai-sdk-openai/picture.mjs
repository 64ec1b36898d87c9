// Vercel's AI SDK with its OpenAI provider: the call of its guide to image generation; it prints the image in base64.
import { openai } from "@ai-sdk/openai";
import { generateImage } from "ai";

const { image } = await generateImage({ model: openai.image("gpt-image-1"), prompt: process.argv[2] });
console.log(image.base64);
