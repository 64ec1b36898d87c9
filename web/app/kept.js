// What the tab keeps so that nothing is paid twice: the run to go on with after a reload, and every request that was
// sent and whose end the page does not know. The API key is in neither.
import { forget, keep, keptJson } from "./tab.js";

const RUN = "imagegen.run";
const OPEN = "imagegen.open";
const CALLER = 12; // characters of a key that name the caller: its prefix and most of its id, and nothing of the secret

export const callerOf = (apiKey) => apiKey.slice(0, CALLER);

export function keepRun(run) {
  const jobs = run.jobs.map(({ body, asked, key, startedAt, id, isSent }) => ({ body, asked, key, startedAt, id, isSent }));
  keep(RUN, JSON.stringify({ kind: run.kind, caller: run.caller, jobs }));
}

export function forgetRun() {
  forget(RUN);
}

export function keptRun() {
  const run = keptJson(RUN);
  return run?.jobs?.length ? run : null;
}

function openRequests() {
  const open = keptJson(OPEN);
  return Array.isArray(open) ? open : [];
}

function setOpen(open) {
  if (open.length) keep(OPEN, JSON.stringify(open));
  else forget(OPEN);
}

// `asked` is what the person asked for, without a seed that the page chose.
export function keepOpen(caller, { asked, body, key, id }) {
  setOpen([...openRequests().filter((each) => each.key !== key), { caller, asked, body, key, id }]);
}

// Forget the requests that have ended, by their idempotency keys or by the ids of their generations.
export function settle(...names) {
  const ended = names.filter(Boolean);
  setOpen(openRequests().filter(({ key, id }) => !ended.includes(key) && !ended.includes(id)));
}

// The request that this caller has sent for the same thing, and whose end is not known.
export function openRequest(caller, asked) {
  return openRequests().find((each) => each.caller === caller && each.asked === asked);
}
