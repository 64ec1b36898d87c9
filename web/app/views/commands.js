// The same request as a command or a program, to copy.
import { html } from "../html.js";
import { COMMANDS, NAMES } from "../commands.js";
import { shortRequest } from "../form.js";
import { state, update } from "../store.js";
import { copy } from "./result.js";

// As it was run: with the seed that the service chose.
export function Commands({ body, generation }) {
  const run = generation?.request ? shortRequest(generation.request, state.contract) : body;
  const text = COMMANDS[state.command](run);
  return html`
    <details class="commands">
      <summary>The same request elsewhere</summary>
      <div class="row" role="group" aria-label="Language">
        ${Object.entries(NAMES).map(
          ([id, name]) => html`<button type="button" class="small" aria-pressed=${String(state.command === id)} onClick=${() => update({ command: id })}>${name}</button>`,
        )}
        <button type="button" class="small copy" onClick=${() => copy(text, `The command for ${NAMES[state.command]} is copied.`)}>Copy</button>
      </div>
      <pre tabindex="0"><code>${text}</code></pre>
    </details>
  `;
}
