// Requests to the API. A failure is a `Failure` with the members of a problem (docs/errors.md).
import { state } from "./store.js";

export class Failure extends Error {
  constructor(problem) {
    super(problem.detail);
    this.problem = problem;
  }
}

const UNREACHABLE = {
  code: "unreachable",
  title: "The service cannot be reached",
  detail: "The browser got no reply. The network may be down, or the service does not allow this page.",
  retryable: true,
  charged: "no",
};

export async function call(method, path, { body, headers = {}, signal, apiKey = state.apiKey } = {}) {
  const request = { method, signal, headers: { ...headers }, cache: "no-store", credentials: "omit" };
  if (apiKey) request.headers["x-api-key"] = apiKey;
  if (body !== undefined) {
    request.headers["content-type"] = "application/json";
    request.body = JSON.stringify(body);
  }
  let reply;
  try {
    reply = await fetch(`${state.config.api_url}${path}`, request);
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new Failure({ ...UNREACHABLE, charged: method === "POST" ? "maybe" : "no" });
  }
  const content = await readJson(reply);
  if (reply.ok) return { status: reply.status, headers: reply.headers, content };
  throw new Failure({ ...problemOf(reply, content), location: reply.headers.get("location") });
}

async function readJson(reply) {
  try {
    return await reply.json();
  } catch {
    return null; // a 204, or a page that something between here and the service has sent
  }
}

function problemOf(reply, content) {
  if (content?.code && content?.detail) return content;
  return {
    code: `http_${reply.status}`,
    title: "Something between here and the service replied",
    detail: `The reply has the status ${reply.status} and is not one of the service's.`,
    retryable: reply.status >= 500,
    charged: reply.status < 500 ? "no" : "maybe",
  };
}

// A header is a latin-1 text; a key with other characters would make `fetch` itself fail.
export function canBeSent(key) {
  return /^[\x21-\x7e]+$/.test(key);
}
