// The API key, and what belongs to it: the models, and what is left of the budget.
import { call, canBeSent, Failure } from "./api.js";
import { clearHistory, loadHistory } from "./history.js";
import { resume } from "./runs.js";
import { say, state, update } from "./store.js";
import { forget, keep, kept } from "./tab.js";

const KEPT = "imagegen.key";
let newest = 0;
let newestUsage = 0;

export function typeKey(text) {
  update({ apiKey: text.trim(), account: "none", fieldErrors: { ...state.fieldErrors, api_key: undefined } });
  keepKey();
}

export function rememberKey(remember) {
  update({ remember });
  keepKey();
}

// Only in the tab's own storage, and only if the person asked for it.
function keepKey() {
  if (state.remember && state.apiKey) keep(KEPT, state.apiKey);
  else forget(KEPT);
}

export function recallKey() {
  const apiKey = kept(KEPT) ?? "";
  update({ apiKey, remember: Boolean(apiKey) });
  return connect();
}

// Ask who the key belongs to. Of two keys that are asked for at once, the one typed last counts.
export async function connect() {
  if (!state.apiKey || state.account === "checking" || state.account === "known") return;
  if (!canBeSent(state.apiKey)) {
    refuse({ code: "unauthorized", title: "This cannot be a key", detail: "A key has only plain letters and signs.", charged: "no" });
    return;
  }
  const mine = ++newest;
  update({ account: "checking", problem: null });
  try {
    const [models, usage] = await Promise.all([call("GET", "/models", { has: "models" }), usageOfToday()]);
    if (mine !== newest) return;
    newestUsage += 1;
    update({ account: "known", models: models.content.models, usage });
    say("The key is accepted.");
    clearHistory();
    resume();
    await loadHistory();
  } catch (error) {
    if (!(error instanceof Failure)) throw error;
    if (mine === newest) refuse(error.problem);
  }
}

// A service that cannot reply just now has said nothing about the key.
function refuse(problem) {
  clearHistory();
  const isTheKey = problem.code === "unauthorized";
  update({
    account: problem.retryable ? "unchecked" : "refused",
    problem: { ...problem, again: problem.retryable ? connect : null },
    models: null,
    usage: null,
    fieldErrors: isTheKey ? { ...state.fieldErrors, api_key: "is not accepted" } : state.fieldErrors,
  });
}

const usageOfToday = async () => (await call("GET", "/usage?days=1", { has: "days" })).content;

// A late reply must neither replace a newer one, nor tell of the key that was entered before.
export async function refreshUsage() {
  const mine = ++newestUsage;
  const asked = state.apiKey;
  try {
    const usage = await usageOfToday();
    if (mine === newestUsage && asked === state.apiKey) update({ usage });
  } catch (error) {
    if (!(error instanceof Failure)) throw error; // the figures stay as they were
  }
}
