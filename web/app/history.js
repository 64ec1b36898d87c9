// The caller's generations, newest first, page by page.
import { call, Failure, onThisClock } from "./api.js";
import { forgetRun, settle } from "./kept.js";
import { focusOn, say, state, update } from "./store.js";

const PAGE = 12;
const SPARE = 60_000; // milliseconds before its end from which a URL is not used any more
const known = new Map(); // the artifacts by the id of the generation

export const isFresh = (artifact) => onThisClock(artifact.expires_at) - Date.now() > SPARE;

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

// The newest ones. The older ones that are shown stay, if there is no gap between them.
export async function loadHistory() {
  await read(`/generations?limit=${PAGE}`, ({ generations, next_cursor: cursor }) => {
    const { items, cursor: further } = state.history;
    const last = items.findIndex((item) => item.id === generations.at(-1)?.id);
    return last < 0 ? { items: generations, cursor } : { items: [...generations, ...items.slice(last + 1)], cursor: further };
  });
}

export async function loadMore() {
  const { cursor } = state.history;
  await read(`/generations?limit=${PAGE}&cursor=${encodeURIComponent(cursor)}`, (page) => {
    const shown = new Set(state.history.items.map((item) => item.id));
    const fresh = page.generations.filter((item) => !shown.has(item.id));
    say(`${fresh.length} more.`);
    return { items: [...state.history.items, ...fresh], cursor: page.next_cursor };
  });
}

async function read(path, merge) {
  const asked = state.apiKey;
  update({ history: { ...state.history, status: "loading" } });
  try {
    const { content } = await call("GET", path, { has: "generations" });
    if (asked !== state.apiKey) return;
    content.generations = content.generations.map(withKnownUrl);
    settle(...content.generations.filter(({ status }) => ["succeeded", "failed"].includes(status)).map(({ id }) => id));
    update({ history: { ...merge(content), status: "read" } });
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
  const { content } = await call("GET", `/generations/${encodeURIComponent(id)}`, { apiKey, has: "id" });
  rememberUrl(Object.assign(content, { seenAt: Date.now() })); // so that an image is asked for again, also by the same URL
  const items = state.history.items.map((item) => (item.id === id ? content : item));
  update({ history: { ...state.history, items } });
  return content;
}

const RENEWAL = 60_000; // milliseconds between two fresh URLs of an image that cannot be loaded
const renewed = new Map(); // when, by what is shown

// Whether it is time for a fresh URL of an image that cannot be loaded: the old one may have ended.
export function mayRenew(shown) {
  if (Date.now() - (renewed.get(shown) ?? 0) < RENEWAL) return false;
  renewed.set(shown, Date.now());
  return true;
}

// An image of the gallery stays broken if there is no fresh URL for it: nobody has asked to see it.
export async function renewItem({ id }) {
  if (!mayRenew(`${id} in the gallery`)) return;
  try {
    await lookAgain(id);
  } catch (error) {
    if (!(error instanceof Failure)) throw error;
  }
}
