'use strict';

/* Talking to the service: the public endpoints as any client does, and the workbench's own. */

const JSON_TYPE = { 'Content-Type': 'application/json' };

/* The answer to a request: status, parsed body (null where it is no JSON), decision id, and what was sent. */
async function post(address, text, asOf) {
  const headers = asOf ? { ...JSON_TYPE, 'X-As-Of': asOf } : JSON_TYPE;
  const response = await fetch(address, { method: 'POST', headers, body: text });
  const body = await response.text();
  return {
    address,
    headers,
    sent: text,
    status: response.status,
    decision: response.headers.get('X-Decision-Id'),
    body: parsed(body),
    text: body,
  };
}

export function parsed(text) {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}

export function call(service, text, asOf) {
  return post(`/cds-services/${service}`, text, asOf);
}

export function sendFeedback(service, entry, asOf) {
  // On another day the service's clock stands at noon; a later moment would lie ahead of it.
  const dated = { ...entry, outcomeTimestamp: asOf ? `${asOf}T12:00:00.000Z` : new Date().toISOString() };
  return post(`/cds-services/${service}/feedback`, JSON.stringify({ feedback: [dated] }), asOf);
}

export async function why(text, asOf) {
  const answer = await post('/workbench/why', text, asOf);
  return answer.status === 200 ? answer.body : null;
}

/* A card's Markdown as HTML, made by our own server from escaped text. */
export async function detailHtml(markdown) {
  const answer = await post('/workbench/detail', JSON.stringify({ detail: markdown }));
  return answer.status === 200 ? answer.body.html : '';
}

export async function hookRequest(name, hook, drafts, asOf) {
  const query = new URLSearchParams({ hook, drafts: drafts.join(','), as_of: asOf });
  const response = await fetch(`/workbench/patients/${encodeURIComponent(name)}?${query}`);
  const body = await response.json();
  if (!response.ok) throw new Error(outcomeText(body));
  return body;
}

/* What an OperationOutcome says, as sentences. */
export function outcomeText(body) {
  const issues = (body && body.issue) || [];
  const texts = issues.flatMap((issue) => [issue.details && issue.details.text, issue.diagnostics]).filter(Boolean);
  return texts.map((text) => (/[.!?]$/.test(text) ? text : `${text}.`)).join(' ');
}

/* The same request for a terminal. */
export function asCurl(answer) {
  const quoted = (text) => `'${text.replaceAll("'", "'\\''")}'`;
  const headers = Object.entries(answer.headers).map(([name, value]) => `-H ${quoted(`${name}: ${value}`)}`);
  const address = new URL(answer.address, window.location.href).href;
  return ['curl -sS', ...headers, `--data-binary ${quoted(answer.sent)}`, quoted(address)].join(' \\\n  ');
}
