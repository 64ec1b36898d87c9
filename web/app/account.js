// The API key, and what belongs to it: the models, and what is left of the budget.
import { call, canBeSent, Failure } from "./api.js";
import { clearHistory, loadHistory } from "./history.js";
import { resume } from "./runs.js";
import { say, state, update } from "./store.js";

const KEPT = "imagegen.key";
let newest = 0;

export function typeKey(text) {
  update({ apiKey: text.trim(), account: "none", fieldErrors: { ...state.fieldErrors, api_key: undefined } });
  keep();
}

export function rememberKey(remember) {
  update({ remember });
  keep();
}

// Only in the tab's own storage, and only if the person asked for it.
function keep() {
  if (state.remember && state.apiKey) sessionStorage.setItem(KEPT, state.apiKey);
  else sessionStorage.removeItem(KEPT);
}

export function recallKey() {
  const apiKey = sessionStorage.getItem(KEPT) ?? "";
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
    const [models, usage] = await Promise.all([call("GET", "/models"), call("GET", "/usage?days=1")]);
    if (mine !== newest) return;
    update({ account: "known", models: models.content.models, usage: usage.content });
    say("The key is accepted.");
    clearHistory();
    resume();
    await loadHistory();
  } catch (error) {
    if (!(error instanceof Failure)) throw error;
    if (mine === newest) refuse(error.problem);
  }
}

function refuse(problem) {
  clearHistory();
  const isTheKey = problem.code === "unauthorized";
  update({
    account: "refused",
    problem,
    models: null,
    usage: null,
    fieldErrors: isTheKey ? { ...state.fieldErrors, api_key: "is not accepted" } : state.fieldErrors,
  });
}

export async function refreshUsage() {
  try {
    update({ usage: (await call("GET", "/usage?days=1")).content });
  } catch (error) {
    if (!(error instanceof Failure)) throw error; // the figures stay as they were
  }
}
