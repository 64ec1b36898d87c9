// The page as a whole.
import { html } from "../html.js";
import { dollars, images } from "../words.js";
import { Form } from "./form.js";
import { History } from "./history.js";
import { Problem } from "./problem.js";
import { Result } from "./result.js";

export function Page({ state }) {
  return html`
    <${Header} state=${state} />
    <main class="columns">
      ${state.contract ? html`<${Form} state=${state} />` : html`<div class="panel loading" aria-busy="true"></div>`}
      <div class="results">
        <${Problem} problem=${state.problem} />
        <${Result} state=${state} />
      </div>
      <${History} state=${state} />
    </main>
    <p class="unseen" role="status" aria-live="polite">${state.said}</p>
  `;
}

function Header({ state }) {
  return html`
    <header class="top">
      <a class="brand" href=".">
        <img src="favicon.svg" alt="" width="28" height="28" />
        <h1>imagegen</h1>
      </a>
      ${state.config?.stage && html`<span class="stage">${state.config.stage}</span>`}
      <${Left} usage=${state.usage} />
    </header>
  `;
}

// What is left of the day, and nothing if there is no limit.
function Left({ usage }) {
  if (!usage) return null;
  const { remaining, days } = usage;
  const left = [remaining.usd !== null && dollars(remaining.usd), remaining.images !== null && images(remaining.images)].filter(Boolean);
  return html`
    <p class="left">
      <span>${left.length ? `${left.join(" · ")} left today` : "no limit today"}</span>
      <small>used ${dollars(days[0].usd)}, ${images(days[0].images)}</small>
    </p>
  `;
}
