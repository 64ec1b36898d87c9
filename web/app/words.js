// Numbers, times and names in words, and what to do about each error.

const PLACES = { minimumFractionDigits: 2, maximumFractionDigits: 4 };

export function dollars(usd) {
  return `$${usd.toLocaleString("en-US", PLACES)}`;
}

export function images(count) {
  return count === 1 ? "1 image" : `${count} images`;
}

export function clock(time) {
  return new Date(time).toLocaleTimeString([], { hour: "2-digit", minute: "2-digit" });
}

export function moment(time) {
  const then = new Date(time);
  const day = then.toDateString() === new Date().toDateString() ? "today" : then.toLocaleDateString();
  return `${day}, ${clock(time)}`;
}

export function seconds(milliseconds) {
  const whole = Math.max(0, Math.floor(milliseconds / 1000));
  return whole < 60 ? `${whole} s` : `${Math.floor(whole / 60)} min ${whole % 60} s`;
}

export function titleOf(style) {
  const words = style.replaceAll("-", " ").replace("3d", "3D");
  return words[0].toUpperCase() + words.slice(1);
}

// `CFG scale` for `cfg_scale`.
export function labelOf(field) {
  const words = field.replaceAll("_", " ").replace("cfg", "CFG").replace("clip", "CLIP").replace("url", "URL");
  return words[0].toUpperCase() + words.slice(1);
}

// The beginning of a text, for names that are read aloud.
export function shortened(text, most = 80) {
  const signs = [...text];
  return signs.length > most ? `${signs.slice(0, most - 1).join("").trimEnd()}…` : text;
}

export function ratioOf(width, height) {
  const [a, b] = width >= height ? [width, height] : [height, width];
  const near = [[1, 1], [5, 4], [3, 2], [16, 9], [21, 9]].reduce((best, pair) =>
    Math.abs(a / b - pair[0] / pair[1]) < Math.abs(a / b - best[0] / best[1]) ? pair : best,
  );
  return (width >= height ? near : [...near].reverse()).join(":");
}

const SUFFIXES = { "image/png": ".png", "image/jpeg": ".jpg", "image/webp": ".webp" };

// A file name that says what is in the picture: `lighthouse-at-dusk-seed-7.png`.
export function fileName(text, seed, type) {
  const words = text.normalize("NFC").replace(/[^\p{L}\p{M}\p{N}]+/gu, "-").replace(/^-+|-+$/g, "").toLowerCase();
  return `${[...words].slice(0, 48).join("").replace(/-+$/, "") || "imagegen"}-seed-${seed}${SUFFIXES[type] ?? ".png"}`;
}

export const CHARGED = {
  no: "Nothing was charged.",
  yes: "This was charged.",
  maybe: "Nobody can know whether this was charged; it counts as charged.",
};

// The codes of the API, and two of this page: `unreachable` and `http_…`.
export const REMEDIES = {
  invalid_json: "This is a fault of the page: reload it.",
  unsupported_media_type: "This is a fault of the page: reload it.",
  payload_too_large: "Shorten the texts.",
  invalid_parameter: "Change what is marked, and try again.",
  unknown_parameter: "The page and the service differ: reload the page.",
  unsupported_parameter: "Switch “Strict” off, leave the parameter out, or choose another model.",
  unknown_model: "Choose one of the models in the list.",
  unauthorized: "Check the key. Whoever runs this service hands keys out.",
  forbidden: "Ask whoever runs this service for access.",
  not_found: "It was deleted, or it belongs to another key.",
  method_not_allowed: "The page and the service differ: reload the page.",
  gone: "The image has been removed. Use “Reuse” to make it again with its seed.",
  idempotency_conflict: "Press “Generate” again, for a new request.",
  content_filtered: "The model’s filter stopped it. Put the prompt into other words.",
  in_progress: "Wait until it is done.",
  rate_limited: "Wait a little, then try again.",
  quota_exceeded: "Wait until midnight UTC, choose a cheaper model, or ask whoever runs this service for more.",
  model_throttled: "The model takes no more requests at the moment. Try again in a minute, or choose another model.",
  model_unavailable: "Try again in a minute, or choose another model.",
  model_retired: "Choose another model.",
  misconfigured: "Tell whoever runs this service the request’s id.",
  outcome_unknown: "Look into the history in a minute: the image may still turn up. Another try may be charged again.",
  model_timeout: "Look into the history in a minute: the image may still turn up. Another try may be charged again.",
  bad_model_response: "Another try may be charged again.",
  store_failed: "Look into the history in a minute: the image may still turn up. Another try is charged again.",
  internal_error: "Try again. If it stays, tell whoever runs this service the request’s id.",
  unreachable: "Check the network, then try again. The page repeats the same request, so it is not paid twice.",
};

export function remedyOf(problem) {
  if (problem.code === "rate_limited" && problem.retry_after) return `Wait ${seconds(problem.retry_after * 1000)}, then try again.`;
  return REMEDIES[problem.code] ?? (problem.retryable ? "Try again in a minute." : "Change the request.");
}
