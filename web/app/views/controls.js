// Controls with a label, a remark and the service's own words about a mistake.
import { html } from "../html.js";
import { isHonoured } from "../form.js";
import { state, updateForm } from "../store.js";
import { labelOf } from "../words.js";

// The model ignores the parameter: the control says so, and can still be used for other models.
export function Ignored({ name, model }) {
  return isHonoured(name, model) ? null : html`<span class="ignored" id=${`ignored-${name}`}>ignored by ${model.name}</span>`;
}

export function Mistake({ name, field }) {
  const words = state.fieldErrors[field ?? name];
  return words ? html`<p class="mistake" id=${`mistake-${name}`}>${words}</p>` : null;
}

// What describes a control: its remark, that it is ignored, and its mistake.
export function about(name, model, { field = name, hint = true } = {}) {
  const ids = [];
  if (hint) ids.push(`hint-${name}`);
  if (!isHonoured(name, model)) ids.push(`ignored-${name}`);
  if (state.fieldErrors[field]) ids.push(`mistake-${name}`);
  return { "aria-describedby": ids.join(" ") || undefined, "aria-invalid": state.fieldErrors[field] ? "true" : undefined };
}

export function Field({ name, model, hint, children }) {
  return html`
    <div class=${`field ${isHonoured(name, model) ? "" : "is-ignored"}`}>
      <div class="field-head">
        <label for=${name}>${labelOf(name)}</label>
        <${Ignored} name=${name} model=${model} />
      </div>
      ${children}
      ${hint && html`<p class="hint" id=${`hint-${name}`}>${hint}</p>`}
      <${Mistake} name=${name} />
    </div>
  `;
}

export function Slider({ name, rules, model, value, step }) {
  const shown = value === "" ? rules.default : value;
  return html`
    <${Field} name=${name} model=${model} hint=${`${rules.means} ${rules.least} to ${rules.most}, usually ${rules.default}.`}>
      <div class="slider">
        <input type="range" id=${name} min=${rules.least} max=${rules.most} step=${step} value=${shown}
          ...${about(name, model)} onInput=${(event) => updateForm({ [name]: event.currentTarget.value })} />
        <output for=${name}>${shown}</output>
      </div>
    <//>
  `;
}

export function Choice({ name, rules, model, value, none }) {
  return html`
    <${Field} name=${name} model=${model} hint=${rules.means}>
      <select id=${name} ...${about(name, model)} onChange=${(event) => updateForm({ [name]: event.currentTarget.value })}>
        ${none && html`<option value="" selected=${value === ""}>${none}</option>`}
        ${rules.choices.map((choice) => html`<option value=${choice} selected=${(value || rules.default) === choice}>${choice}</option>`)}
      </select>
    <//>
  `;
}
