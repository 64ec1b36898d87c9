// Starts the page: reads where the API is, what it takes, and what this tab has kept.
import { recallKey } from "./account.js";
import { loadContract } from "./contract.js";
import { formFrom } from "./form.js";
import { html, render } from "./html.js";
import { isBusy, recallRun } from "./runs.js";
import { focusOn, onChange, state, update } from "./store.js";
import { keep, keptJson } from "./tab.js";
import { Page } from "./views/page.js";
import { Problem } from "./views/problem.js";

const OURS = { charged: "no", isOurs: true, reloads: true };
const NO_CONFIG = "Its file config.json cannot be read, or does not say where the API is. Reload the page; if that does not help, tell whoever runs it.";
const FAULT = { ...OURS, title: "The page has a fault", detail: "Reload it. What you have asked for is kept in this tab, and is not paid twice." };
const UNREADABLE = { code: "unreachable", title: "The service cannot be reached", detail: "The page could not read what the API takes.", charged: "no" };
const FORM = "imagegen.form";
const root = document.getElementById("app");
let form = state.form;
let isBroken = false;
onChange(draw);
addEventListener("error", fail, { once: true });
addEventListener("unhandledrejection", fail, { once: true });
update({ form: formFrom(keptJson(FORM)) });
form = state.form;
await begin();

async function begin() {
  try {
    update({ config: await readConfig() });
  } catch {
    update({ problem: { ...OURS, title: "The page is not set up", detail: NO_CONFIG } });
    return;
  }
  try {
    update({ contract: await loadContract(state.config) });
  } catch {
    update({ problem: { ...UNREADABLE, reloads: true } });
    return;
  }
  recallRun();
  await recallKey();
  if (state.run && !state.apiKey) focusOn("api-key");
}

async function readConfig() {
  const config = await (await fetch("config.json", { cache: "no-store" })).json();
  const address = new URL(config.api_url.replace(/\/+$/, ""), location.href);
  if (!address.protocol.startsWith("http")) throw new TypeError(address.href);
  return { ...config, api_url: address.href };
}

function draw() {
  if (isBroken) return;
  try {
    render(html`<${Page} state=${state} />`, root);
  } catch (error) {
    isBroken = true;
    root.replaceChildren();
    render(html`<main class="columns"><div class="results"><${Problem} problem=${FAULT} /></div></main>`, document.body);
    throw error;
  }
  if (state.form !== form) keep(FORM, JSON.stringify((form = state.form)));
}

// Said once: whatever is at fault may be so again and again.
function fail() {
  update({ problem: FAULT });
}

// The seconds that a picture takes are counted on the page.
setInterval(() => isBusy() && update(), 1000);
