// Makes pictures through the asynchronous door. A job is one paid request with an idempotency key of its own; the tab
// keeps what it needs to ask for the same job again, until the page knows how it ended.
import { connect, refreshUsage } from "./account.js";
import { call, canBeSent, Failure, onThisClock } from "./api.js";
import { bodyOf, drawsFormat, linesThatCount, randomSeed, servingModel, shortRequest } from "./form.js";
import { isFresh, loadHistory, lookAgain, mayRenew, rememberUrl } from "./history.js";
import { callerOf, forgetRun, keepOpen, keepRun, keptRun, openRequest, settle } from "./kept.js";
import { focusOn, say, state, update, updateForm } from "./store.js";

const PAUSES = [150, 300, 600, 1000, 1500, 2000]; // milliseconds between two looks at a job; the last one stays
const TRIES = 4; // how often a request without a reply is repeated, with the same idempotency key
export const ENDED = ["succeeded", "failed"];

// A run has the API key that it began with, in memory only, so that nobody has to leave the field of the key alone.
// A run that was stopped, replaced or deleted goes on at the service; here nobody looks at it any more.
const isCurrent = (run) => state.run === run;
const wait = (milliseconds) => new Promise((done) => setTimeout(done, milliseconds));
export const isBusy = () => Boolean(state.run?.jobs.some((job) => !ENDED.includes(job.status)));

export function generate() {
  const body = prepared();
  if (body) start("one", [{ asked: wish("one", body), body }]);
}

export function compare() {
  const body = prepared();
  if (!body || !comparedModels().length) return;
  const wishes = comparedModels().map(({ id: model }) => ({ model, asked: wish("compare", { ...body, model }) }));
  const open = wishes.map(({ asked }) => openRequest(callerOf(state.apiKey), asked)).find(Boolean);
  const seed = body.seed || open?.body.seed || randomSeed();
  start("compare", wishes.map(({ model, asked }) => ({ asked, body: { ...body, seed, model } })));
}

// A model that does not draw the format would refuse the request.
export const comparedModels = () => state.models?.filter((model) => drawsFormat(state.form, model)) ?? [];

export function vary(job) {
  if (isBusy()) return;
  const { seed, ...body } = shortRequest(job.generation.request, state.contract);
  start("one", [{ asked: wish("vary", body), body: { ...body, seed: randomSeed() } }]);
}

const wish = (kind, body) => JSON.stringify([kind, body]);

// The body of the form, or null if something is missing; then the page says so and focuses it.
function prepared() {
  if (isBusy()) return null;
  if (!state.apiKey) return complain("api_key", "Enter your API key first", "The service needs to know who asks.", "api-key");
  if (!canBeSent(state.apiKey)) return complain("api_key", "This cannot be a key", "A key has only plain letters and signs.", "api-key");
  if (!state.form.lines[0].text.trim()) return complain("text_prompts[0].text", "Say what to draw", "The prompt is empty.", "line-0");
  return bodyOf(state.form, state.contract);
}

function complain(field, title, detail, id) {
  update({ problem: { title, detail, charged: "no", isOurs: true }, fieldErrors: { [field]: detail } });
  focusOn(id);
  return null;
}

// Whoever asks again for what was sent, and whose end is not known, gets that one: with its seed and its key.
function start(kind, wishes) {
  const caller = callerOf(state.apiKey);
  const jobs = wishes.map(({ asked, body }) => {
    const open = openRequest(caller, asked);
    const job = { asked, body, key: crypto.randomUUID(), id: undefined, ...open, isSent: Boolean(open) };
    return { ...job, startedAt: Date.now(), status: "sending" };
  });
  const run = { kind, jobs, caller, apiKey: state.apiKey };
  update({ run, problem: null, fieldErrors: {} });
  keepRun(run);
  say(kind === "compare" ? `Asking ${jobs.length} models.` : "Drawing.");
  requestAnimationFrame(bringIntoView);
  for (const job of jobs) drive(run, job);
}

// On a phone the result is far below the button.
function bringIntoView() {
  const heading = document.getElementById("result-heading");
  if (heading && heading.getBoundingClientRect().top > innerHeight) heading.scrollIntoView();
}

// Show the run that a reload interrupted. It goes on as soon as the page knows the key again.
export function recallRun() {
  const run = keptRun();
  if (run) update({ run: { ...run, jobs: run.jobs.map((job) => ({ ...job, status: "waiting" })) } });
  else forgetRun();
}

export function resume() {
  const { run } = state;
  if (!run || run.caller !== callerOf(state.apiKey)) return;
  run.apiKey ??= state.apiKey;
  for (const job of run.jobs) if (job.status === "waiting") drive(run, job);
}

export function stopWaiting() {
  const isSent = state.run.jobs.some((job) => job.isSent);
  forgetRun();
  update({ run: null });
  say(isSent ? STOPPED : "Stopped before anything was sent.");
  focusOn("generate");
  if (state.account === "known") loadHistory();
}

const STOPPED =
  "Stopped waiting. What was sent may still be made, and may be paid; then it will be in the history. The same request again is not paid twice.";

// With the same idempotency key, unless the failure was recorded as the end of the request: then the same key would
// bring the same failure.
export function tryAgain(run, job) {
  if (job.problem?.location) Object.assign(job, { key: crypto.randomUUID(), isSent: false });
  Object.assign(job, { status: "sending", problem: null, startedAt: Date.now() });
  update({ run, problem: null });
  keepRun(run);
  drive(run, job);
}

export const canTryAgain = ({ id, status, problem }) => status === "failed" && !id && Boolean(problem.retryable);

async function drive(run, job) {
  try {
    if (!job.id) job.id = await submitted(run, job);
    if (job.id && job.key) keepOpen(run.caller, job);
    if (!isCurrent(run)) return;
    keepRun(run);
    await watch(run, job);
  } catch (error) {
    if (!(error instanceof Failure)) throw error;
    Object.assign(job, { status: "failed", problem: error.problem });
    if (isOpen(job)) job.problem = { ...error.problem, charged: "maybe" };
  }
  if (!isOpen(job)) settle(job.key, job.id);
  if (isCurrent(run)) ended(run, job);
}

const SETTLED = ["gone", "idempotency_conflict", "not_found"];

// Whether the job was sent and its end is not known. A failure with a `location` was recorded, so it is an end.
function isOpen({ id, isSent, generation, problem }) {
  if (ENDED.includes(generation?.status) || problem?.location || SETTLED.includes(problem?.code)) return false;
  return Boolean(id || isSent);
}

// The id of the job's generation. The idempotency key makes it safe to ask again when no reply came.
// Nothing is sent for a run that was stopped meanwhile; then there is no id.
async function submitted(run, job) {
  job.status = "sending";
  update();
  let isLost = job.isSent; // sent before, without a reply that says what became of it
  for (let tries = 1; isCurrent(run); tries += 1) {
    job.isSent = true;
    keepRun(run);
    keepOpen(run.caller, job);
    try {
      const { content } = await call("POST", "/text-to-image", {
        apiKey: run.apiKey,
        body: job.body,
        headers: { prefer: "respond-async", "idempotency-key": job.key },
        has: "id",
      });
      job.isOffline = false;
      return content.id;
    } catch (error) {
      if (!(error instanceof Failure)) throw error;
      const { code, location, charged } = error.problem;
      if (code === "in_progress" && location) return location.split("/").pop();
      isLost ||= charged === "maybe";
      job.isSent = isLost;
      if (code !== "unreachable" || tries === TRIES) throw error;
      job.isOffline = true;
      update();
      await wait(1000 * 2 ** (tries - 1));
    }
  }
  return null;
}

async function watch(run, job) {
  for (let look = 0; isCurrent(run); look += 1) {
    const generation = await seen(run, job);
    if (generation && ENDED.includes(generation.status)) {
      Object.assign(job, { generation: rememberUrl(generation), status: generation.status, problem: generation.error ?? null });
      return;
    }
    // From `running` back to `queued`: the model was busy, and the service asks it again by itself.
    if (generation) {
      job.wasBusy ||= job.status === "running" && generation.status === "queued";
      job.status = generation.status;
    }
    update();
    await wait(PAUSES[Math.min(look, PAUSES.length - 1)]);
  }
}

async function seen(run, job) {
  try {
    const { content } = await call("GET", `/generations/${encodeURIComponent(job.id)}`, { apiKey: run.apiKey, has: "status" });
    job.isOffline = false;
    return content;
  } catch (error) {
    // Looking costs nothing, so it is repeated for as long as the person waits.
    if (!(error instanceof Failure) || !error.problem.retryable) throw error;
    job.isOffline = error.problem.code === "unreachable";
    return null;
  }
}

function ended(run, job) {
  update();
  if (run.kind === "one") announce(run, job);
  if (isBusy()) return;
  if (run.jobs.some(isOpen)) keepRun(run);
  else forgetRun();
  if (run.kind === "compare") say(`${run.jobs.filter((each) => each.generation?.artifacts).length} of ${run.jobs.length} models drew.`);
  if (!state.form.keepsSeed) updateForm({ seed: "" });
  if (state.account === "unchecked" && !state.problem) connect();
  if (state.account !== "known") return;
  refreshUsage();
  loadHistory();
}

function announce(run, job) {
  if (job.status === "failed") {
    fail(run, job);
    return;
  }
  say("The picture is done.");
  // Whoever went on writing meanwhile is not interrupted.
  if ([document.body, document.getElementById("generate")].includes(document.activeElement)) focusOn("result-heading");
}

function fail(run, job) {
  const lines = linesThatCount(state.form);
  const fieldErrors = {};
  for (const { field, message } of job.problem.errors ?? []) {
    // An empty line was not sent, so the service counts the lines without it.
    const line = /^text_prompts\[(\d+)\](.*)$/.exec(field);
    fieldErrors[line ? `text_prompts[${lines[line[1]]?.id}]${line[2]}` : field] ??= message;
  }
  update({ problem: { ...job.problem, again: canTryAgain(job) ? () => tryAgain(run, job) : null }, fieldErrors });
  focusOn("problem");
}

// Show a generation of the history as if it had just been made.
export async function show(generation) {
  if (isBusy()) return;
  const job = { id: generation.id, generation, status: generation.status, body: generation.request };
  if (!ENDED.includes(generation.status)) Object.assign(job, { status: "waiting", startedAt: onThisClock(generation.created_at) });
  const run = { kind: "one", jobs: [{ ...job, problem: generation.error ?? null }], caller: callerOf(state.apiKey), apiKey: state.apiKey };
  update({ run, problem: null });
  if (generation.error) update({ problem: generation.error });
  focusOn("result-heading");
  resume();
}

// An image that cannot be loaded gets a fresh URL: the old one may have ended.
export async function renew(job) {
  if (!mayRenew(job.id)) return;
  try {
    await freshArtifact(job, { isBroken: true });
  } catch (error) {
    if (!(error instanceof Failure)) throw error;
    update({ problem: error.problem });
  }
}

// The artifact with a URL that still works, however often the hour of a URL has ended.
export async function freshArtifact(job, { isBroken = false } = {}) {
  if (isBroken || !isFresh(job.generation.artifacts[0])) {
    job.generation = await lookAgain(job.id, state.run?.apiKey);
    update();
  }
  return job.generation.artifacts[0];
}

export function priceNow() {
  const model = servingModel(state.form, state.models);
  return model && state.contract ? { model, body: bodyOf(state.form, state.contract) } : null;
}
