// The form: the key, the texts, the model and every parameter of the contract.
import { connect, rememberKey, typeKey } from "../account.js";
import { html } from "../html.js";
import { candidates, drawsFormat, priceOf, randomSeed, servingModel } from "../form.js";
import { compare, comparedModels, generate, isBusy, priceNow } from "../runs.js";
import { update, updateForm } from "../store.js";
import { dollars, images } from "../words.js";
import { about, Choice, Field, Ignored, Mistake, Slider } from "./controls.js";
import { Models, Sizes, Styles } from "./picks.js";

export function Form({ state }) {
  const { form, contract, models } = state;
  const model = servingModel(form, models);
  const submit = (event) => {
    event.preventDefault();
    generate();
  };
  return html`
    <form class="panel form" onSubmit=${submit} novalidate autocomplete="off">
      <${Key} state=${state} />
      <${Lines} form=${form} contract=${contract} model=${model} />
      <${Actions} state=${state} />
      <${Models} models=${models} chosen=${form.model} />
      <${Sizes} form=${form} contract=${contract} model=${model} />
      <${Styles} form=${form} contract=${contract} model=${model} />
      <${Seed} form=${form} contract=${contract} model=${model} />
      <${More} form=${form} contract=${contract} model=${model} models=${models} />
    </form>
  `;
}

function Key({ state }) {
  const states = { checking: "checking…", known: "accepted", refused: "not accepted", unchecked: "not checked" };
  return html`
    <div class="field key">
      <div class="field-head">
        <label for="api-key">API key</label>
        <span class=${`key-state ${state.account}`}>${states[state.account] ?? ""}</span>
      </div>
      <div class="joined">
        <input id="api-key" type=${state.keyIsShown ? "text" : "password"} value=${state.apiKey} spellcheck="false" autocapitalize="off"
          autocomplete="off" placeholder="ig_…" ...${about("api_key", null, { hint: false })}
          onInput=${(event) => typeKey(event.currentTarget.value)}
          onChange=${connect}
          onKeyDown=${(event) => event.key === "Enter" && (event.preventDefault(), connect())} />
        <button type="button" aria-pressed=${String(state.keyIsShown)} onClick=${() => update({ keyIsShown: !state.keyIsShown })}>Show</button>
      </div>
      <${Mistake} name="api_key" />
      <label class="tick">
        <input type="checkbox" checked=${state.remember} onChange=${(event) => rememberKey(event.currentTarget.checked)} />
        Remember for this session
      </label>
    </div>
  `;
}

function Lines({ form, contract, model }) {
  const add = (weight) => {
    const id = Math.max(...form.lines.map((line) => line.id)) + 1;
    updateForm({ lines: [...form.lines, { id, text: "", weight }] });
    requestAnimationFrame(() => document.getElementById(`line-${id}`)?.focus());
  };
  const isFull = form.lines.length >= contract.most;
  return html`
    <div class="lines">
      ${form.lines.map((line, index) => html`<${Line} key=${line.id} ...${{ line, index, form, contract }} />`)}
      <div class="row">
        <button type="button" class="small" disabled=${isFull} onClick=${() => add("1")}>Add a text</button>
        <button type="button" class="small" disabled=${isFull} onClick=${() => add("-1")}>Add what to avoid</button>
      </div>
      <${Ignored} name="text_prompts" model=${model} />
      <${Mistake} name="text_prompts" />
    </div>
  `;
}

function Line({ line, index, form, contract }) {
  const field = `text_prompts[${line.id}]`;
  const change = (changes) =>
    updateForm({ lines: form.lines.map((each) => (each === line ? { ...line, ...changes } : each)) }, [`${field}.text`, `${field}.weight`]);
  const label = index === 0 ? "Prompt" : Number(line.weight) < 0 ? "What to avoid" : "Another text";
  const sent = (event) => event.key === "Enter" && (event.ctrlKey || event.metaKey) && generate();
  return html`
    <div class="field">
      <div class="field-head">
        <label for=${`line-${line.id}`}>${label}</label>
        ${line.text.length > contract.text.longest * 0.8 && html`<span class="count">${[...line.text].length} of ${contract.text.longest}</span>`}
      </div>
      <div class="line">
        <textarea id=${`line-${line.id}`} dir="auto" rows=${index === 0 ? 4 : 2} value=${line.text}
          placeholder=${index === 0 ? "A lighthouse at dusk, waves against the rocks" : ""}
          ...${about(`line-${line.id}-text`, null, { field: `${field}.text`, hint: false })}
          onInput=${(event) => change({ text: event.currentTarget.value })} onKeyDown=${sent}></textarea>
        ${form.lines.length > 1 && html`<${Weight} ...${{ line, index, field, contract, change, form }} />`}
      </div>
      <${Mistake} name=${`line-${line.id}-text`} field=${`${field}.text`} />
      <${Mistake} name=${`line-${line.id}-weight`} field=${`${field}.weight`} />
    </div>
  `;
}

function Weight({ line, index, field, contract, change, form }) {
  const remove = () => {
    updateForm({ lines: form.lines.filter((each) => each !== line) });
    document.getElementById("line-0")?.focus();
  };
  return html`
    <div class="weight">
      <label for=${`weight-${line.id}`}>Weight</label>
      <input id=${`weight-${line.id}`} type="number" step="any" value=${line.weight} title=${contract.weight.means}
        ...${about(`line-${line.id}-weight`, null, { field: `${field}.weight`, hint: false })}
        onInput=${(event) => change({ weight: event.currentTarget.value })} />
      ${index > 0 && html`<button type="button" class="plain" aria-label=${`Remove line ${index + 1}`} onClick=${remove}>Remove</button>`}
    </div>
  `;
}

function Actions({ state }) {
  const busy = String(isBusy());
  const now = priceNow();
  const price = now && priceOf(now.model, now.body, state.contract);
  const most = now && Math.max(...candidates(state.form, state.models).map((model) => priceOf(model, now.body, state.contract)));
  const compared = comparedModels();
  const all = compared.reduce((sum, model) => sum + priceOf(model, now?.body ?? {}, state.contract), 0);
  return html`
    <div class="actions">
      <div class="row">
        <button type="submit" id="generate" class="main" aria-disabled=${busy}>Generate</button>
        <button type="button" id="compare" aria-disabled=${busy} disabled=${!compared.length} aria-describedby="price" onClick=${compare}>Compare models</button>
      </div>
      <p class="hint" id="price">
        ${now ? html`Generate: ${dollars(price)}${most > price ? `, at most ${dollars(most)}` : ""}. Compare: ${images(compared.length)}, one by each model, at most ${dollars(all)}.` : "With a key, you see here what it costs."}
      </p>
    </div>
  `;
}

function Seed({ form, contract, model }) {
  const rules = contract.fields.seed;
  return html`
    <${Field} name="seed" model=${model} hint=${`${rules.means} Up to ${rules.most}.`}>
      <div class="joined">
        <input id="seed" inputmode="numeric" value=${form.seed} placeholder="new each time" ...${about("seed", model)}
          onInput=${(event) => updateForm({ seed: event.currentTarget.value, keepsSeed: event.currentTarget.value !== "" })} />
        <button type="button" onClick=${() => updateForm({ seed: String(randomSeed()) })}>Roll</button>
        <button type="button" aria-pressed=${String(form.keepsSeed)} onClick=${() => updateForm({ keepsSeed: !form.keepsSeed, seed: form.seed || (form.keepsSeed ? "" : String(randomSeed())) })}>Lock</button>
      </div>
    <//>
  `;
}

// Only the formats that the chosen model draws, or that any of them draws, can be chosen.
function Format({ form, rules, models }) {
  const listed = models?.filter((model) => !form.model || model.id === form.model);
  const drawn = (choice) => !listed || listed.some((model) => drawsFormat({ output_format: choice }, model));
  const wanted = form.output_format || rules.default;
  const name = form.model ? listed?.[0]?.name : "any model here";
  return html`
    <${Field} name="output_format" hint=${rules.means.split(". ")[0]}>
      <select id="output_format" ...${about("output_format", null)} onChange=${(event) => updateForm({ output_format: event.currentTarget.value })}>
        ${rules.choices.map((choice) => html`<option value=${choice} selected=${wanted === choice} disabled=${!drawn(choice)}>${choice}${drawn(choice) ? "" : ` (not by ${name})`}</option>`)}
      </select>
    <//>
  `;
}

function More({ form, contract, model, models }) {
  const { fields } = contract;
  return html`
    <details class="more">
      <summary>More parameters</summary>
      <${Slider} name="steps" rules=${fields.steps} model=${model} value=${form.steps} step="1" />
      <${Slider} name="cfg_scale" rules=${fields.cfg_scale} model=${model} value=${form.cfg_scale} step="0.5" />
      <${Choice} name="sampler" rules=${fields.sampler} model=${model} value=${form.sampler} none="chosen by the model" />
      <${Choice} name="clip_guidance_preset" rules=${fields.clip_guidance_preset} model=${model} value=${form.clip_guidance_preset} />
      <${Format} form=${form} rules=${fields.output_format} models=${models} />
      <${Field} name="samples" model=${model} hint=${fields.samples.means}>
        <input id="samples" type="number" min=${fields.samples.least} max=${fields.samples.most} value=${form.samples || fields.samples.default}
          ...${about("samples", model)} onInput=${(event) => updateForm({ samples: event.currentTarget.value })} />
      <//>
      <${Field} name="extras" model=${model} hint=${fields.extras.means}>
        <textarea id="extras" rows="2" class="code" spellcheck="false" placeholder="{}" value=${form.extras} ...${about("extras", model)}
          onInput=${(event) => updateForm({ extras: event.currentTarget.value })}></textarea>
      <//>
      <${Field} name="webhook_url" hint=${fields.webhook_url.means}>
        <input id="webhook_url" type="url" value=${form.webhook_url} placeholder="https://" ...${about("webhook_url", null)}
          onInput=${(event) => updateForm({ webhook_url: event.currentTarget.value.trim() })} />
      <//>
      <label class="tick">
        <input type="checkbox" checked=${form.strict} aria-describedby="hint-strict" onChange=${(event) => updateForm({ strict: event.currentTarget.checked })} />
        Strict
      </label>
      <p class="hint" id="hint-strict">${fields.strict.means}</p>
      <${Mistake} name="strict" />
    </details>
  `;
}
