// LangChain's tool for OpenAI's images: the call of its documentation; it prints the image's URL.
import { DallEAPIWrapper } from "@langchain/openai";

const tool = new DallEAPIWrapper({
  n: 1, // Default
  model: "dall-e-3", // Default
  apiKey: process.env.OPENAI_API_KEY, // Default
});
const imageURL = await tool.invoke(process.argv[2]);
console.log(imageURL);
