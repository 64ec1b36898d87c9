// What is being made or was made: one picture, or one of each model side by side.
import { onThisClock } from "../api.js";
import { html } from "../html.js";
import { formOf } from "../form.js";
import { canTryAgain, ENDED, freshArtifact, isBusy, renew, stopWaiting, tryAgain, vary } from "../runs.js";
import { focusOn, say, state, update, updateForm } from "../store.js";
import { clock, dollars, fileName, labelOf, seconds } from "../words.js";
import { Commands } from "./commands.js";
import { Words } from "./problem.js";

export function Result() {
  const { run, contract } = state;
  if (!contract) return null;
  if (!run) return html`<${Empty} />`;
  const isMany = run.kind === "compare";
  const title = isMany ? "The models side by side" : "Your picture";
  return html`
    <section class=${`panel result ${isMany ? "many" : "one"}`} aria-busy=${String(isBusy())}>
      <div class="result-head">
        <h2 id="result-heading" tabindex="-1">${title}</h2>
        ${isBusy() && html`<button type="button" onClick=${stopWaiting}>Stop waiting</button>`}
      </div>
      ${isMany && html`<p class="hint">Seed ${run.jobs[0].body.seed}. ${totalOf(run)}</p>`}
      <div class="jobs">${run.jobs.map((job) => html`<${Job} key=${job.key ?? job.id} job=${job} isMany=${isMany} />`)}</div>
      ${!isMany && html`<${Commands} body=${run.jobs[0].body} generation=${run.jobs[0].generation} />`}
    </section>
  `;
}

const IDEAS = ["A lighthouse at dusk, waves against the rocks", "A city in the rain at night", "A meadow full of poppies, mountains behind"];

function Empty() {
  const take = (text) => {
    updateForm({ lines: state.form.lines.map((line, index) => (index === 0 ? { ...line, text } : line)) });
    focusOn("line-0");
  };
  return html`
    <section class="panel empty">
      <h2 id="result-heading" tabindex="-1">Your picture will be here</h2>
      <p>Say what to draw, and press Generate. Or begin with one of these:</p>
      <div class="row">${IDEAS.map((text) => html`<button type="button" class="small" onClick=${() => take(text)}>${text}</button>`)}</div>
    </section>
  `;
}

function totalOf(run) {
  const cost = run.jobs.reduce((sum, { generation }) => sum + (generation?.cost_usd ?? 0), 0);
  return isBusy() ? "" : `Together they cost ${dollars(cost)}.`;
}

function Job({ job, isMany }) {
  const name = nameOf(job.generation?.model ?? job.body.model);
  return html`
    <article class="job">
      ${isMany && html`<h3>${name}</h3>`}
      ${!ENDED.includes(job.status) && html`<${Progress} job=${job} />`}
      ${job.status === "failed" && (isMany ? html`<div class="job-problem"><${Words} problem=${job.problem} /><${Again} job=${job} /></div>` : html`<${NoPicture} job=${job} />`)}
      ${job.status === "succeeded" && html`<${Picture} job=${job} isMany=${isMany} />`}
    </article>
  `;
}

function Again({ job }) {
  return canTryAgain(job) ? html`<button type="button" onClick=${() => tryAgain(state.run, job)}>Try again</button>` : null;
}

function nameOf(id) {
  return state.models?.find((model) => model.id === id)?.name ?? id ?? "First available";
}

const LONG = 20_000; // milliseconds after which a person wonders

function wordsOf(job) {
  if (job.isOffline) return "No connection. Trying again; nothing is paid twice.";
  if (job.status === "waiting") {
    return state.account === "known"
      ? "This picture was asked for with another key. Enter that one, or stop waiting."
      : "The page was reloaded while this picture was being made. Enter your API key to see it.";
  }
  if (job.status === "sending") return "Sending…";
  if (job.wasBusy || Date.now() - job.startedAt > LONG) {
    return "This takes longer than usual: the model may be busy. The service goes on by itself, and you may stop waiting.";
  }
  return job.status === "queued" ? "Waiting for its turn…" : "Drawing…";
}

function Progress({ job }) {
  const { width = 1024, height = 1024 } = job.body;
  return html`
    <div class=${`canvas ${job.status === "waiting" ? "" : "is-drawing"}`}>
      <svg viewBox=${`0 0 ${width} ${height}`} width=${width} height=${height} aria-hidden="true"></svg>
      <p><span>${wordsOf(job)}</span> <span class="elapsed">${seconds(Date.now() - job.startedAt)}</span></p>
    </div>
  `;
}

function NoPicture({ job }) {
  return html`<p class="hint">There is no picture. ${job.generation ? "The message above says why." : "The request was refused."}</p>`;
}

function textOf({ request }) {
  return request.text_prompts.find(({ weight = 1 }) => weight >= 0)?.text || "";
}

function Picture({ job, isMany }) {
  const { generation } = job;
  const [artifact] = generation.artifacts;
  const ignored = generation.ignored_parameters ?? [];
  return html`
    <figure>
      <img class="picture" key=${`${artifact.url} ${generation.seenAt}`} src=${artifact.url} alt=${textOf(generation) || "A picture without a prompt"} width=${artifact.width} height=${artifact.height}
        onError=${() => renew(job)} />
      <figcaption>
        <${Tools} job=${job} artifact=${artifact} />
        <dl class="facts-list">
          ${!isMany && html`<div><dt>Model</dt><dd>${nameOf(generation.model)}</dd></div>`}
          <div><dt>Cost</dt><dd>${dollars(generation.cost_usd)}</dd></div>
          ${!isMany && html`<div><dt>Seed</dt><dd>${artifact.seed}</dd></div>`}
          <div><dt>Size</dt><dd>${artifact.width}×${artifact.height}</dd></div>
          ${!isMany && html`<${Parameters} request=${generation.request} />`}
          <div><dt>Ignored</dt><dd>${ignored.length ? ignored.map(labelOf).join(", ") : "nothing"}</dd></div>
        </dl>
      </figcaption>
    </figure>
  `;
}

const ELSEWHERE = ["text_prompts", "width", "height", "seed", "samples", "model"];

function Parameters({ request }) {
  const shown = Object.entries(request).filter(([name, value]) => !ELSEWHERE.includes(name) && ["string", "number"].includes(typeof value));
  const avoided = request.text_prompts.filter(({ weight = 1 }) => weight < 0);
  return html`
    ${shown.map(([name, value]) => html`<div><dt>${labelOf(name)}</dt><dd>${value}</dd></div>`)}
    ${avoided.length > 0 && html`<div><dt>Avoided</dt><dd dir="auto">${avoided.map(({ text }) => text).join(", ")}</dd></div>`}
  `;
}

function Tools({ job, artifact }) {
  const reuse = () => {
    update({ form: formOf(job.generation.request, state.contract), fieldErrors: {} });
    say("The parameters are in the form.");
    focusOn("line-0");
  };
  const editSeed = () => {
    updateForm({ ...formOf(job.generation.request, state.contract), seed: String(artifact.seed), keepsSeed: true });
    focusOn("seed");
  };
  return html`
    <div class="row tools">
      <button type="button" onClick=${() => download(job)}>Download</button>
      <button type="button" title=${`Works until ${clock(onThisClock(artifact.expires_at))}`} onClick=${() => copyLink(job)}>Copy link</button>
      <button type="button" aria-disabled=${String(isBusy())} onClick=${() => vary(job)}>Vary</button>
      <button type="button" onClick=${reuse}>Reuse</button>
      <button type="button" onClick=${editSeed}>Edit seed</button>
    </div>
  `;
}

export async function copy(text, done) {
  try {
    await navigator.clipboard.writeText(text);
    say(done);
  } catch {
    say("The browser does not let the page copy.");
  }
}

// The link of the image for as long as it works; afterwards a fresh one.
async function copyLink(job) {
  try {
    await copy((await freshArtifact(job)).url, "The link is copied.");
  } catch (error) {
    update({ problem: error.problem ?? UNREADABLE });
  }
}

const UNREADABLE = { title: "The image could not be downloaded", detail: "Try again in a minute.", charged: "no", isOurs: true };

async function contentOf({ url }) {
  const reply = await fetch(url, { credentials: "omit" });
  if (!reply.ok) throw new TypeError(`${reply.status}`);
  return reply.blob();
}

// A browser ignores the attribute `download` of a link to another origin, so the page fetches the image itself.
async function download(job) {
  try {
    const artifact = await freshArtifact(job);
    const blob = await contentOf(artifact).catch(async () => contentOf(await freshArtifact(job, { isBroken: true })));
    const url = URL.createObjectURL(blob);
    const name = fileName(textOf(job.generation), artifact.seed, artifact.content_type);
    Object.assign(document.createElement("a"), { href: url, download: name }).click();
    setTimeout(() => URL.revokeObjectURL(url), 60_000);
  } catch (error) {
    update({ problem: error.problem ?? UNREADABLE });
  }
}
