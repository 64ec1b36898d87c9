// What the caller has made before: a gallery, page by page.
import { html } from "../html.js";
import { askToDelete, deleteIt, keepIt, loadMore, renewItem } from "../history.js";
import { isBusy, show } from "../runs.js";
import { dollars, moment, shortened } from "../words.js";

export function History({ state }) {
  const { items, cursor, status } = state.history;
  return html`
    <section class="history" aria-busy=${String(status === "loading")}>
      <h2 id="history-heading" tabindex="-1">History</h2>
      ${state.account !== "known" && html`<p class="hint">With a key, the pictures that you have made are shown here.</p>`}
      ${state.account === "known" && status === "read" && !items.length && html`<p class="hint">There is no picture yet.</p>`}
      <ul class="gallery">${items.map((item) => html`<${Item} key=${item.id} item=${item} />`)}</ul>
      ${cursor && html`<button type="button" aria-disabled=${String(status === "loading")} onClick=${() => status !== "loading" && loadMore()}>Show more</button>`}
      ${state.confirming && html`<${Confirm} item=${state.confirming} />`}
    </section>
  `;
}

function textOf(item) {
  return item.request?.text_prompts[0]?.text || "without a text";
}

function Item({ item }) {
  const [artifact] = item.artifacts ?? [];
  const about = `${shortened(textOf(item))}, ${moment(item.created_at)}`;
  return html`
    <li class="item">
      <button type="button" class="plain open" aria-disabled=${String(isBusy())} onClick=${() => show(item)}>
        <span class="unseen">Show ${about}</span>
        ${artifact
          ? html`<img key=${`${artifact.url} ${item.seenAt}`} src=${artifact.url} alt="" width=${artifact.width} height=${artifact.height} loading="lazy" decoding="async" onError=${() => renewItem(item)} />`
          : html`<span class="no-image">${item.error ? item.error.title : item.status}</span>`}
      </button>
      <p class="item-text" dir="auto">${textOf(item)}</p>
      <p class="item-facts">
        <span>${moment(item.created_at)}</span><span>${dollars(item.cost_usd)}</span>
        <button type="button" class="plain" onClick=${() => askToDelete(item)}>Delete<span class="unseen"> ${about}</span></button>
      </p>
    </li>
  `;
}

function Confirm({ item }) {
  const open = (dialog) => dialog && !dialog.open && dialog.showModal();
  return html`
    <dialog ref=${open} onClose=${keepIt} aria-labelledby="confirm-title">
      <h2 id="confirm-title">Delete this generation?</h2>
      <p>Its image and its parameters are removed for good. What it cost stays counted.</p>
      <p class="item-text" dir="auto">${textOf(item)}</p>
      <div class="row">
        <button type="button" onClick=${keepIt}>Keep it</button>
        <button type="button" class="danger" onClick=${deleteIt}>Delete</button>
      </div>
    </dialog>
  `;
}
