// What is picked by looking: the model, the size and the style.
import { html } from "../html.js";
import { isHonoured } from "../form.js";
import { updateForm } from "../store.js";
import { dollars, ratioOf, titleOf } from "../words.js";
import { Ignored, Mistake } from "./controls.js";

function Group({ name, title, remark, model, fields = [name], extra = "", children }) {
  const isUsed = fields.some((field) => isHonoured(field, model));
  return html`
    <fieldset class=${`field picks ${extra} ${isUsed ? "" : "is-ignored"}`}>
      <legend>${title} ${remark && html`<small>${remark}</small>`} <${Ignored} name=${fields[0]} model=${model} /></legend>
      ${children}
      ${fields.map((field) => html`<${Mistake} name=${field} />`)}
    </fieldset>
  `;
}

function Pick({ group, value, chosen, extra = "", children }) {
  const isChosen = value === chosen;
  return html`
    <label class=${`pick ${extra} ${isChosen ? "is-chosen" : ""}`}>
      <input type="radio" name=${group} value=${value} checked=${isChosen} onChange=${() => updateForm({ [group]: value })} />
      ${children}
    </label>
  `;
}

const LIFE = { legacy: "legacy", end_of_life: "ended" };

export function Models({ models, chosen }) {
  if (!models) return html`<p class="hint models">With a key, the models are listed here.</p>`;
  const first = models.find((model) => model.default);
  return html`
    <${Group} name="model" title="Model" extra="models">
      <${Pick} group="model" value="" chosen=${chosen}>
        <span class="pick-name">First available</span>
        <small>${first ? `${first.name} now` : "none is available"}</small>
      <//>
      ${models.map(({ id, name, prices, price_per_image: price, lifecycle }) => {
        const most = prices?.at(-1)?.usd ?? price;
        const status = LIFE[lifecycle?.status];
        return html`
          <${Pick} key=${id} group="model" value=${id} chosen=${chosen}>
            <span class="pick-name">${name} ${status && html`<span class="status">${status}</span>`}</span>
            <small>${most > price ? `${dollars(price)} to ${dollars(most)}` : dollars(price)} an image</small>
          <//>
        `;
      })}
    <//>
  `;
}

const LONGEST = 40; // pixels of the longer side of a drawn shape

// Square and wide shapes first, then the same ones upright.
function inOrder(sizes) {
  const wide = ({ width, height }) => Math.max(width, height) / Math.min(width, height);
  return [...sizes].sort((a, b) => (a.height > a.width) - (b.height > b.width) || wide(a) - wide(b));
}

export function Sizes({ form, contract, model }) {
  const { width, height } = contract.fields;
  const usual = `${width.default}x${height.default}`;
  const scale = LONGEST / Math.max(...contract.sizes.map((size) => size.width));
  return html`
    <${Group} name="size" title="Size" remark=${(form.size || usual).replace("x", " × ")} model=${model} fields=${["width", "height"]} extra="sizes">
      <div class="size-grid">
        ${inOrder(contract.sizes).map((size) => {
          const value = `${size.width}x${size.height}`;
          return html`
            <${Pick} key=${value} group="size" value=${value} chosen=${form.size || usual}>
              <svg width=${LONGEST} height=${LONGEST} viewBox=${`0 0 ${LONGEST} ${LONGEST}`} aria-hidden="true">
                <rect x=${(LONGEST - size.width * scale) / 2 + 1} y=${(LONGEST - size.height * scale) / 2 + 1}
                  width=${size.width * scale - 2} height=${size.height * scale - 2} rx="2" />
              </svg>
              <span class="pick-name">${ratioOf(size.width, size.height)}</span>
              <span class="unseen">${size.width} × ${size.height}</span>
            <//>
          `;
        })}
      </div>
    <//>
  `;
}

export function Styles({ form, contract, model }) {
  return html`
    <${Group} name="style_preset" title="Style" model=${model} extra="styles">
      <div class="style-grid">
        <${Pick} group="style_preset" value="" chosen=${form.style_preset}>
          <span class="no-picture" aria-hidden="true"><svg viewBox="0 0 24 24"><circle cx="12" cy="12" r="9" /><path d="M6 18 18 6" /></svg></span>
          <span class="pick-name">None</span>
        <//>
        ${contract.fields.style_preset.choices.map(
          (style) => html`
            <${Pick} key=${style} group="style_preset" value=${style} chosen=${form.style_preset}>
              <img src=${`style-pictures/${style}.webp`} alt="" width="96" height="64" loading="lazy" decoding="async" />
              <span class="pick-name">${titleOf(style)}</span>
            <//>
          `,
        )}
      </div>
    <//>
  `;
}
