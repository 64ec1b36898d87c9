// The two libraries of the page, joined: `html` makes elements of templates, `render` puts them into the document.
import htm from "../vendor/htm.mjs";
import { h, render } from "../vendor/preact.mjs";

export const html = htm.bind(h);
export { render };
