// The caller's generations, newest first, page by page.
import { call, Failure } from "./api.js";
import { forgetRun, settle } from "./kept.js";
import { focusOn, say, state, update } from "./store.js";

const PAGE = 12;
const SPARE = 60_000; // milliseconds before its end from which a URL is not used any more
const known = new Map(); // the artifacts by the id of the generation

export const isFresh = (artifact) => Date.parse(artifact.expires_at) - Date.now() > SPARE;

// Each reply has a new URL, with which a browser would download the image again: keep the known one until it ends.
function withKnownUrl(generation) {
  const kept = known.get(generation.id);
  if (generation.artifacts && kept?.every(isFresh)) return { ...generation, artifacts: kept };
  return rememberUrl(generation);
}

export function rememberUrl(generation) {
  if (generation.artifacts) known.set(generation.id, generation.artifacts);
  return generation;
}

// What another caller has made is nobody else's business.
export function clearHistory() {
  known.clear();
  update({ history: { items: [], cursor: null, status: "none" }, confirming: null });
}

export async function loadHistory() {
  await read(`/generations?limit=${PAGE}`, (page) => page.generations);
}

export async function loadMore() {
  const { cursor } = state.history;
  await read(`/generations?limit=${PAGE}&cursor=${encodeURIComponent(cursor)}`, (page) => {
    const shown = new Set(state.history.items.map((item) => item.id));
    const fresh = page.generations.filter((item) => !shown.has(item.id));
    say(`${fresh.length} more.`);
    return [...state.history.items, ...fresh];
  });
}

async function read(path, merge) {
  const asked = state.apiKey;
  update({ history: { ...state.history, status: "loading" } });
  try {
    const { content } = await call("GET", path);
    if (asked !== state.apiKey) return;
    content.generations = content.generations.map(withKnownUrl);
    settle(...content.generations.filter(({ status }) => ["succeeded", "failed"].includes(status)).map(({ id }) => id));
    update({ history: { items: merge(content), cursor: content.next_cursor, status: "read" } });
  } catch (error) {
    if (!(error instanceof Failure)) throw error;
    update({ history: { ...state.history, status: "read" }, problem: error.problem });
  }
}

export function askToDelete(generation) {
  update({ confirming: generation });
}

export function keepIt() {
  update({ confirming: null });
}

export async function deleteIt() {
  const { id } = state.confirming;
  update({ confirming: null });
  try {
    await call("DELETE", `/generations/${encodeURIComponent(id)}`);
  } catch (error) {
    if (!(error instanceof Failure)) throw error;
    if (error.problem.code !== "not_found") {
      update({ problem: error.problem });
      return;
    }
  }
  const items = state.history.items.filter((item) => item.id !== id);
  const isShown = state.run?.jobs.some((job) => job.id === id);
  settle(id);
  if (isShown) forgetRun();
  update({ history: { ...state.history, items }, run: isShown ? null : state.run });
  say("Deleted.");
  focusOn("history-heading");
}

// A fresh look, for a URL that has expired.
export async function lookAgain(id, apiKey) {
  const { content } = await call("GET", `/generations/${encodeURIComponent(id)}`, { apiKey });
  rememberUrl(content);
  const items = state.history.items.map((item) => (item.id === id ? content : item));
  update({ history: { ...state.history, items } });
  return content;
}
