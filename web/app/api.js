// Requests to the API. A failure is a `Failure` with the members of a problem (docs/errors.md), and with what its
// headers say: `location`, and `retry_after` in seconds.
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

let ahead = 0; // milliseconds that this machine's clock is ahead of the service's, as far as the browser tells

// A time of the service on this machine's clock, which may be wrong by hours.
export const onThisClock = (time) => Date.parse(time) + ahead;

// `has` names what a reply of the service has; one without it is of something between here and the service.
export async function call(method, path, { body, headers = {}, signal, apiKey = state.apiKey, has } = {}) {
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
  const sentAt = Date.parse(reply.headers.get("date"));
  if (sentAt) ahead = Date.now() - sentAt;
  if (reply.ok && (!has || content?.[has])) return { status: reply.status, headers: reply.headers, content };
  throw new Failure({
    ...problemOf(method, reply, content),
    location: reply.headers.get("location"),
    retry_after: Number(reply.headers.get("retry-after")) || undefined,
  });
}

async function readJson(reply) {
  try {
    return await reply.json();
  } catch {
    return null; // a 204, or a page that something between here and the service has sent
  }
}

function problemOf(method, { ok, status }, content) {
  if (content?.code && content?.detail) return content;
  const isUnclear = ok || status >= 500;
  return {
    code: `http_${status}`,
    title: "Something between here and the service replied",
    detail: `The reply has the status ${status} and is not one of the service’s.`,
    retryable: isUnclear,
    charged: method === "POST" && isUnclear ? "maybe" : "no",
  };
}

// A header is a latin-1 text; a key with other characters would make `fetch` itself fail.
export function canBeSent(key) {
  return /^[\x21-\x7e]+$/.test(key);
}
