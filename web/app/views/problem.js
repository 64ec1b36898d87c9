// What went wrong, in words: what happened, what to do, and whether it was charged.
import { html } from "../html.js";
import { update } from "../store.js";
import { CHARGED, labelOf, remedyOf } from "../words.js";

export function Problem({ problem }) {
  if (!problem) return null;
  return html`
    <section class="problem" role="alert" id="problem" tabindex="-1">
      <button type="button" class="plain close" aria-label="Close this message" onClick=${() => update({ problem: null })}>×</button>
      <${Words} problem=${problem} />
      ${problem.again && html`<button type="button" onClick=${problem.again}>Try again</button>`}
      ${problem.reloads && html`<button type="button" onClick=${() => location.reload()}>Reload the page</button>`}
    </section>
  `;
}

export function Words({ problem }) {
  return html`
    <h2 class="problem-title">${problem.title}</h2>
    <p>${problem.detail}</p>
    ${problem.errors?.length > 0 &&
    html`<ul>${problem.errors.map((each) => html`<li><b>${labelOf(each.field)}</b> ${each.message}</li>`)}</ul>`}
    ${!problem.isOurs &&
    html`
      <p><b>What to do:</b> ${remedyOf(problem)}</p>
      <p class="facts">
        <span class=${`charged charged-${problem.charged}`}>${CHARGED[problem.charged]}</span>
        <span>Code <code>${problem.code}</code></span>
        ${problem.request_id && html`<span>Request <code>${problem.request_id}</code></span>`}
      </p>
    `}
  `;
}
