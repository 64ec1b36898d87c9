// Uses the types that openapi-typescript generated through openapi-fetch, and prints what came back.
import createClient from "openapi-fetch";

import type { components, paths } from "./schema.js";

type Generation = components["schemas"]["Generation"];
type Problem = components["schemas"]["ProblemReply"];
type Wanted = components["schemas"]["TextToImageRequest"];

declare const process: { env: Record<string, string> };

const baseUrl = process.env.IMAGEGEN_URL;
const client = createClient<paths>({ baseUrl, headers: { "x-api-key": process.env.IMAGEGEN_KEY } });
const stranger = createClient<paths>({ baseUrl, headers: { "x-api-key": "not-a-key-0123456789" } });
const safe = { "Idempotency-Key": crypto.randomUUID() };
const body: Wanted = {
  text_prompts: [{ text: "Sri lanka tea plantation." }],
  steps: 50,
  style_preset: "photographic",
};

async function digest(bytes: BufferSource): Promise<string> {
  const hash = new Uint8Array(await crypto.subtle.digest("SHA-256", bytes));
  return [...hash].map((byte) => byte.toString(16).padStart(2, "0")).join("");
}

async function made(generation: Generation) {
  const artifact = generation.artifacts[0];
  const reply = await fetch(artifact.url);
  return {
    id: generation.id,
    status: generation.status satisfies "succeeded",
    created_in: new Date(generation.created_at).getFullYear(),
    size: [artifact.width, artifact.height],
    sha256: artifact.sha256,
    downloaded: await digest(await reply.arrayBuffer()),
  };
}

function refused(problem: Problem) {
  return { code: problem.code, status: problem.status, fields: (problem.errors ?? []).map((error) => error.field) };
}

async function generation(): Promise<Generation> {
  const { data, error } = await client.POST("/text-to-image", { body, headers: safe });
  // A 202 has no artifacts; the compiler knows it.
  if (!data || !("artifacts" in data)) throw new Error(JSON.stringify(error ?? data));
  return data;
}

async function problem(by: typeof client, steps: number): Promise<Problem> {
  const { error } = await by.POST("/text-to-image", { body: { ...body, steps } });
  if (!error) throw new Error("nothing was refused");
  return error;
}

// What the types must refuse: if they did not, the compiler would complain about the comment.
export function unused(some: Generation): void {
  // @ts-expect-error - no such member
  void some.artefacts;
  // @ts-expect-error - no such style
  void client.POST("/text-to-image", { body: { ...body, style_preset: "photographical" } });
  // @ts-expect-error - a number
  void client.POST("/text-to-image", { body: { ...body, steps: "50" } });
  // @ts-expect-error - the prompts are required
  void client.POST("/text-to-image", { body: { steps: 50 } });
  // @ts-expect-error - no such path
  void client.POST("/text-to-images", { body });
}

const first = await made(await generation());
const images = await client.POST("/images/generations", { body: { prompt: "tea", n: 1 } });
const link = await client.GET("/generations/{id}/image", {
  params: { path: { id: first.id } },
  redirect: "manual",
  parseAs: "stream",
});
console.log(
  JSON.stringify({
    made: first,
    repeated: await made(await generation()),
    redirect: [link.response.status, link.response.headers.get("location")?.startsWith("http")],
    images: images.data?.data.length,
    bad_steps: refused(await problem(client, 5)),
    wrong_key: refused(await problem(stranger, 50)),
  }),
);
