// The one state of the page. Views are functions of it; whatever changes it calls `update`.
import { emptyForm } from "./form.js";

export const state = {
  config: null, // config.json: where the API is, and the stage's name
  contract: null, // what the API's document says about the parameters
  apiKey: "",
  remember: false,
  keyIsShown: false,
  account: "none", // none, checking, known or refused
  models: null,
  usage: null,
  form: emptyForm(),
  fieldErrors: {}, // sentences by the field's name
  run: null, // the pictures that are being made or shown
  problem: null, // what went wrong, shown as an alert
  history: { items: [], cursor: null, status: "none" },
  confirming: null, // the generation that is about to be deleted
  command: "curl",
  said: "", // what a screen reader announces
};

let draw = () => {};
let isDue = false;

export function onChange(callback) {
  draw = callback;
}

// Merge the changes into the state, and draw the page once however many changes come together.
export function update(changes = {}) {
  Object.assign(state, changes);
  if (isDue) return;
  isDue = true;
  queueMicrotask(() => {
    isDue = false;
    draw();
  });
}

// The service's words about what is changed are out of date. A size is two fields of the contract.
export function updateForm(changes, fields = Object.keys(changes)) {
  const fieldErrors = { ...state.fieldErrors };
  for (const name of fields) delete fieldErrors[name];
  if ("size" in changes) delete fieldErrors.width, delete fieldErrors.height;
  update({ form: { ...state.form, ...changes }, fieldErrors });
}

// Announce a sentence. The same sentence twice is announced twice, because it differs by a space.
export function say(sentence) {
  update({ said: state.said === sentence ? `${sentence}\u00a0` : sentence });
}

// Focus an element once the page is drawn.
export function focusOn(id) {
  update();
  requestAnimationFrame(() => document.getElementById(id)?.focus());
}
