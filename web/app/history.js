// The caller's generations, newest first, page by page.
import { call, Failure } from "./api.js";
import { settle } from "./kept.js";
import { focusOn, say, state, update } from "./store.js";

const PAGE = 12;

// What another caller has made is nobody else's business.
export function clearHistory() {
  update({ history: { items: [], cursor: null, status: "none" }, confirming: null });
}

export async function loadHistory() {
  await read(`/generations?limit=${PAGE}`, (page) => page.generations);
}

export async function loadMore() {
  const { cursor } = state.history;
  await read(`/generations?limit=${PAGE}&cursor=${encodeURIComponent(cursor)}`, (page) => {
    const known = new Set(state.history.items.map((item) => item.id));
    const fresh = page.generations.filter((item) => !known.has(item.id));
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
  update({ history: { ...state.history, items }, run: isShown ? null : state.run });
  say("Deleted.");
  focusOn("history-heading");
}

// A fresh look, for a URL that has expired.
export async function lookAgain(id, apiKey) {
  const { content } = await call("GET", `/generations/${encodeURIComponent(id)}`, { apiKey });
  const items = state.history.items.map((item) => (item.id === id ? content : item));
  update({ history: { ...state.history, items } });
  return content;
}
