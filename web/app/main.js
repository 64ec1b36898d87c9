// Starts the page: reads where the API is, what it takes, and what this tab has kept.
import { recallKey } from "./account.js";
import { loadContract } from "./contract.js";
import { html, render } from "./html.js";
import { isBusy, recallRun } from "./runs.js";
import { focusOn, onChange, state, update } from "./store.js";
import { Page } from "./views/page.js";

const root = document.getElementById("app");
onChange(() => render(html`<${Page} state=${state} />`, root));
update();
await begin();

async function begin() {
  try {
    update({ config: await (await fetch("config.json", { cache: "no-store" })).json() });
    update({ contract: await loadContract(state.config) });
  } catch {
    update({
      problem: {
        code: "unreachable",
        title: "The service cannot be reached",
        detail: "The page could not read what the API takes.",
        charged: "no",
        reloads: true,
      },
    });
    return;
  }
  recallRun();
  await recallKey();
  if (state.run && !state.apiKey) focusOn("api-key");
}

// The seconds that a picture takes are counted on the page.
setInterval(() => isBusy() && update(), 1000);
